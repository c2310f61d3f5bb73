"""What another version of a model made: hidden, or made again (`vscanner recall`).

rejection.py      rejection notes: asking destinations to hide it (IHE IOCM)
reprocessing.py   the job of the installed model in its place
"""
