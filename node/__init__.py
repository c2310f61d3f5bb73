"""The node: DICOM networking, spool, jobs and web page.

The data's way through the files of this package, in order:

    receiver.py      Storage and Verification SCP; durable before Success
    spool.py         one file an instance, the truth; admission and duplicates
    assembly.py      is the series complete, and by what evidence
    routing.py       which rule takes a series, and why
    jobs.py          the records and states of a job
    workflow.py      the durable steps: gate, translate, write, check, dispatch, commitment
    dispatch/        C-STORE, STOW-RS, Orthanc REST
    commitment.py    storage commitment as SCU, C-FIND count as fallback
    retention.py     what may be deleted, and when
    web/             status page, JSON, metrics, STOW-RS in

`config.py` holds every setting and default, `database.py` every table, `service.py` starts the
processes, `commands/` holds one file for each `vscanner` command.
"""
