"""Trained weights into `pipelines/`: the file, its calibration, its digest on the card.

mr_to_ct.py    several models, one file
cesm_vce.py    one network
ct_to_pet.py   the networks of several runs, one file
"""
