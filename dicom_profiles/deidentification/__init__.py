"""Images without their patient (PS3.15 annex E), to train on.

image.py             one image: the Basic Application Level Confidentiality Profile
confidentiality.py   its table E.1-1, as actions by tag
pseudonyms.py        names that stand for people and objects
moved_times.py       times of a PET moved, with their distances kept
data_set.py          a folder of such images, and its `dataset.json`
"""
