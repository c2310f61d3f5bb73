"""The work of each step of a job, on the job's folder. The node and the offline command share it.

The files, in the order of the steps:

    folder.py      the folder: what went in, what each step left there
    gate.py        is the input in the pipeline's scope?
    translate.py   the network's output, slice by slice, onto the disk
    write.py       the derived objects
    check.py       may they leave?

Every step may be repeated, and gives the same again; a finished step is not done twice.
"""
