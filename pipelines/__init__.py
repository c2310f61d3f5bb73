"""The translation pipelines: networks, engines and model cards. No sockets, no DICOM files.

The files:

    catalog.py       names and model cards, without importing torch
    contract.py      what every pipeline offers: gate, translate, call
    engines/         the ways to run a network: torch, OpenVINO, CUDA
    ldct_denoise/    one folder a pipeline: network, pipeline, gate, card, weights
"""
