"""Figures beside named rivals, each in one run: receive, latency, model.

`make bench` runs all; `python -m benchmarks.receive` runs one. Results go to `results/`.
"""
