"""The ways to run a network. One is chosen and held against the reference when a model is loaded.

engine.py            what an engine is; slabs of slices; a thread that reads ahead
torch_engine.py      the reference on the processor; the GPU engine
ncnn_engine.py       fastest on the processor: Winograd convolutions
ncnn_graph.py        a torch network written down as an ncnn network
openvino_engine.py   the second choice on the processor
choose.py            which one, proven on a trial
"""
