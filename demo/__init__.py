"""The demonstration behind `make run`: a PACS, the node, a sample study, and what comes back.

The files:

    __main__.py      the story, step by step
    pacs.py          the demonstration PACS: Orthanc where installed, else pynetdicom's qrscp
    samples/         a small excerpt of a real CT with simulated low dose
    make_samples.py  how the samples were made
"""
