"""A worker process with the smoothing pipeline: `python -m tests.node.worker_process FILE …`."""

from __future__ import annotations

import argparse
from pathlib import Path

from node.config_file import load_config
from node.logs import set_up_logging
from node.worker import run
from tests.node.smoothing import Smoothing

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("--pause-s", type=float, default=0.0)
    arguments = parser.parse_args()
    set_up_logging()
    run(load_config(arguments.config), lambda _name: Smoothing(pause_s=arguments.pause_s))
