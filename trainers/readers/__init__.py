"""Readers of training data: each gives its images in one form, whatever their layout on disk.

The files:

    series.py                what a reader of CT gives
    nifti.py                 NIfTI files with HU
    dicom.py                 folders of DICOM series; pairs of a low and a full dose
    ldct_projection.py       LDCT-and-Projection-data as TCIA publishes it
    mr_ct.py                 what a reader of MR and CT gives
    sts.py, chaos.py         sarcomas (T1 and CT) and CHAOS (phases, T2, CT) as they are published
    ct_pet.py                what a reader of CT and PET gives, and how a pair comes onto cubes
    sts_pet.py, autopet.py   sarcomas (CT and PET) and FDG-PET-CT-Lesions as they are published
    cdd_cesm.py              CDD-CESM as TCIA publishes it; pairs of mammograms with contrast medium
    data_set.py              series of a gathered data set, for every trainer
    patients.py              patients whom a person names to be kept out
    gathered_mammograms.py   pairs of low-energy and recombined mammograms of a gathered data set
    gathered_ct_pet.py       pairs of CT and PET of a gathered data set
"""
