"""One file for each `vscanner` command: `add_parser(subparsers)` and `run(arguments) -> int`.

    serve.py         all roles on this machine
    receive.py       receivers and assembler; work.py a worker; web.py the status page
    role.py          what these four share
    process.py       a folder of DICOM files, without a network
    explain.py       which series would go where, and why not
    check.py         is this node ready to work?
    jobs.py          the queue, and what a person may do about a job
    recall.py        what a model version made; reject it, make it again
    models.py        the model cards, and whether the weights are theirs
    conformance.py   the conformance statement of this configuration
    train.py         start a trainer; evaluate.py measure a model, or run a protocol
    reading.py       blind readings: make, export, open, analyse
    tables.py        tables on standard output

`node.__main__` lists the commands and imports only the one that was asked for.
"""
