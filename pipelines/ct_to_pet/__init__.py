"""Whole-body CT to synthetic FDG PET (SUVbw), with the body districts that it was made by.

pipeline.py              a CT in, PET, districts and quality record out
uptake.py                from a CT on cubes to its uptake: body, districts, networks, stitching
grid.py                  cubes of 4 mm along the patient's axes, and back
body.py                  the body without table, clothes and air
districts.py             the four districts, and what can tell them: an interface
geometric_districts.py   by shape alone; outside_segmenters.py by MOOSE or TotalSegmentator
network.py               the networks; weights.py the file that holds all of them
patches.py               overlapping windows, averaged where they overlap
stitching.py             one body out of the districts' volumes, hard or feathered
input_distance.py        how far a CT is from those that the model knows
gate.py                  in the scope of the card? from headers alone, without torch
recognition.py           which series it is meant for
quality.py               the quality record's figures and the traffic light
card.yaml                what it is for, and how well it did; weights beside it
"""
