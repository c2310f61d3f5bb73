"""The ways to run a network. One is chosen and held against the reference when a model is loaded.

engine.py            what an engine is; slabs of slices; a thread that reads ahead
torch_engine.py      the reference on the processor; the GPU engine
ncnn_engine.py       on most processors the fastest: Winograd convolutions
ncnn_graph.py        a torch network written down as an ncnn network
openvino_engine.py   on Intel's with AVX-512 the fastest, else the second choice
openvino_model.py    a torch network as a model of OpenVINO
patch_engine.py      engines for 3-D networks on patches
choose.py            which one, proven on a trial
hardware.py          the processor's name and how many cores are ours
"""

import sys

# OpenVINO reports its use to its maker over the internet from the moment it is imported, unless
# each user has declined. A node in a hospital reports nothing: without this package it cannot.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
