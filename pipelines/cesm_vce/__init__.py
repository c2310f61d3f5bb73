"""Low-energy contrast mammogram in, virtual recombined image out.

pipeline.py      a mammogram in, its virtual recombined image out, at its own size
framing.py       from any size to the square that the network sees, and exactly back
network.py       the shipped network, and which others can be served
generators.py    the papers' generators: autoencoder, Pix2Pix, CycleGAN
carry.py         from the network's size to full size, without losing detail
gate.py          in the scope of the card? from headers alone, without torch
recognition.py   which series it is meant for
quality.py       the quality record's figures and the traffic light
card.yaml        what it is for, and how well it did; weights beside it
"""
