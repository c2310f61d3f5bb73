"""A network becomes a model of OpenVINO, outlives the network, and nobody is told of it."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import openvino
import torch

from pipelines.engines.openvino_model import compiled, converted
from tests.pipelines.networks import small_network

CONVERT = """
import socket

def refused(*a, **k):
    raise AssertionError("an address was looked up")

socket.getaddrinfo = socket.create_connection = refused
import torch
from pipelines.engines.openvino_model import converted
converted(torch.nn.Conv2d(1, 1, 3), torch.zeros(1, 1, 8, 8))
"""

SIGNAL = """
import os, signal, threading
from pipelines.engines.openvino_engine import OpenVinoEngine
from tests.pipelines.networks import phantom, run, small_network

engine = OpenVinoEngine(small_network(), 1, threads=1)
run(engine, phantom(1, 20, 20))
thread = threading.Thread(target=run, args=(engine, phantom(1, 24, 24)))
thread.start()
thread.join()
taken = []
signal.signal(signal.SIGTERM, lambda *_: taken.append(True))
os.kill(os.getpid(), signal.SIGTERM)
assert taken
"""


def test_model_outlives_the_network_and_takes_other_sizes() -> None:
    network = small_network().eval()
    model = converted(network, torch.zeros(1, 3, 32, 32))
    image = np.random.default_rng(0).standard_normal((1, 3, 48, 40)).astype(np.float32)
    with torch.inference_mode():
        wanted = network(torch.from_numpy(image)).numpy()
    del network
    gc.collect()
    model.reshape(openvino.PartialShape([1, 3, -1, -1]))
    made = compiled(model, threads=1)(image)[0]
    assert np.abs(made - wanted).max() < 1e-3


def test_nothing_is_reported_to_anybody(tmp_path: Path) -> None:
    """OpenVINO would count its use below the home folder, and send it off."""
    outside_ci = {key: value for key, value in os.environ.items() if key != "CI"}
    environment = outside_ci | {"HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", CONVERT], check=True, env=environment)
    assert not (tmp_path / "intel").exists()


def test_a_signal_is_taken_after_another_thread_compiled_for_another_size() -> None:
    """As a worker is told to end: it died of it, with its row and its lock left behind."""
    assert subprocess.run([sys.executable, "-c", SIGNAL], check=False).returncode == 0
