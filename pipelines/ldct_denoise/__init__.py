"""Low-dose CT in, denoised CT out.

pipeline.py         slice by slice, with its quality record
network.py          the network and its normalisation
strength.py         how much of its correction is added, by what the dose says
blocks.py           a slice seen in blocks: means, noise, tissue
anatomy.py          is the anatomy still there?
input_distance.py   how far an input is from those that the model knows
gate.py             in the scope of the card? from headers alone, without torch
recognition.py      which series it is meant for
quality.py          the quality record's figures and the traffic light
card.yaml           what it is for, and how well it did; weights beside it
"""
