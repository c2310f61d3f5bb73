"""The demonstration behind `make run`: a PACS, the node, a sample study, and what comes back.

The files:

    __main__.py      the story, step by step
    pacs.py          the demonstration PACS: Orthanc where installed, else pynetdicom's qrscp
    routes.py        the routes of the node, one a sample
    samples/         small samples, simulated or with simulated dose
    make_samples.py  makes them anew, by making/
    viewer.py        OHIF in front of the demonstration PACS
    interruption.py  Ctrl-C and a plain kill, of which none is lost
"""
