"""MR of the abdomen or of a limb in, synthetic CT out.

pipeline.py       MR in, synthetic CT out, slice by slice
models.py         the three models in one file of weights
networks.py       which network a model is, in one record
generators.py     those of the multimodal CycleGAN; residual_unet.py for data with pairs
scaling.py        what the networks see and say
working_grid.py   to the pixels that a network was trained with, and back
stacked.py        several modalities through engines that are fed one image a slice
padding.py        empty slices; outline.py how far tissue may reach
gate.py           in the scope of the card? from headers alone, without torch
recognition.py    which series it is meant for
quality.py        the quality record's figures and the traffic light
card.yaml         what it is for, and how well it did; weights beside it
"""
