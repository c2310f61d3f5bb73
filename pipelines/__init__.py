"""The translation pipelines: networks, engines and model cards. No sockets, no DICOM files.

The files:

    catalog.py       names, model cards and digests, without importing torch
    card.py          ModelCard: what a model is for and how well it did
    contract.py      what every pipeline offers: gate, translate, call
    scanner.py       what they share of it; a pipeline adds how it translates
    gates.py         may a pipeline take these series? without torch
    scope_checks.py  the checks that gates share
    inputs.py        what a pipeline is given, held against its card
    features.py      what describes an input, and how far it is from known ones
    calibration.py   usual inputs and limits of quality, beside a model's weights
    lights.py        GREEN, AMBER, RED, and their sentences
    recording.py     what is there only after the last slice
    folded_unet.py   the residual U-Net that three pipelines serve
    card_page.py     a model card as a page
    errors.py        what can go wrong
    engines/         the ways to run a network: torch, OpenVINO, CUDA
    cesm_vce/, ct_to_pet/, ldct_denoise/, mr_to_ct/
                     one folder a pipeline: network, pipeline, gate, quality, card, weights

    from pipelines import load
    scanner = load("ldct_denoise", device="auto")
    result = scanner({"CT": volume})
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines import catalog

if TYPE_CHECKING:
    from pipelines.contract import Pipeline

__all__ = ["load"]


def load(name: str, device: str = "auto", threads: int = 0) -> Pipeline:
    """Load a pipeline: check its weights, choose an engine, make it warm.

    Args:
        name: see `pipelines.catalog.names`.
        device: `auto` (a GPU when there is one), `cpu`, `cuda` or `cuda:N`.
        threads: processor threads for the network; 0 takes every core.

    Raises:
        UnknownPipeline: there is no pipeline of that name.
        IncompletePipeline: it lacks a part, or one cannot be imported.
        WeightsError: the weights are not those on the card.
        EngineError: the device is not there.
    """
    pipeline: Pipeline = catalog.module(name, "pipeline").load(device=device, threads=threads)
    return pipeline
