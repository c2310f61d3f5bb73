"""The node: DICOM networking, spool, jobs and web page.

The data's way, in order; a folder beside each step holds its parts:

    receiver.py, receiving/     Storage and Verification SCP; durable before Success
    spool.py, spooling/         one file an instance, the truth; admission and duplicates
    assembler.py, assembling/   is the series complete, and by what evidence
    routing/                    which rule takes a series, with which partners, and why not
    jobs/                       what a job is, its states, the ledger of all of them
    worker.py, working/         the process that loads networks, and what it does besides
    workflow.py, work.py        the durable steps of a job; one attempt at one step
    steps/                      gate, translate, write, check: the work itself
    dispatch/                   C-STORE, STOW-RS, Orthanc REST
    commitment/                 does the destination keep it: storage commitment, else its index
    retention/                  what may be deleted, and when
    recalling/                  what another version of a model made: hidden, or made again

What people and other programs see:

    __main__.py, commands/      `vscanner`, one file a command
    web/                        status page, JSON, metrics, STOW-RS in
    conformance/                the DICOM conformance statement
    offline.py                  a folder in, derived files out, without a network
    gathering/                  images from a PACS to train on
    reading/                    blind readings

What all of them use:

    config.py, config_file.py   every setting and default; `node.yaml`, faults by line
    database/                   every table, on SQLite or PostgreSQL
    service.py                  the processes of a role: started, watched, restarted
    counters.py                 running totals for `/metrics`
    installed.py                whether a pipeline is whole
    user_information.py         what we say of ourselves when an association is negotiated
    logs.py, errors.py          log lines without patients; the tree of errors
"""
