"""Readers of training data: each gives `TrainingSeries`, whatever the data's layout on disk.

The files:

    series.py            what a reader gives
    nifti.py             NIfTI files with HU
    dicom.py             folders of DICOM series; pairs of a low and a full dose
    ldct_projection.py   LDCT-and-Projection-data as TCIA publishes it
    cdd_cesm.py          CDD-CESM as TCIA publishes it; pairs of low-energy and recombined images
"""
