"""Batches drawn ahead, so that the device never waits for the disk or the processor.

Threads draw the batches of the next steps, in the order of the steps; for a GPU they land in pinned
memory and are copied on a stream of their own while the step before is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy.typing as npt
import torch
from torch import Tensor

from dicom_profiles.ahead import map_ahead

Drawn: TypeAlias = Mapping[str, npt.NDArray[Any] | Tensor]
"""One batch as it is drawn: arrays or tensors by name."""

Batch: TypeAlias = dict[str, Tensor]
"""One batch on the device."""


def fed(
    draw: Callable[[int], Sequence[Drawn]],
    steps: Iterable[int],
    device: torch.device,
    *,
    ahead: int,
    drawers: int,
) -> Iterator[tuple[Batch, ...]]:
    """The batches of every step, on the device, in order.

    Args:
        draw: gives the batches of a step; called in threads, so it changes nothing shared.
        steps: what is drawn, in order.
        device: where they go.
        ahead: steps drawn ahead of the one that is computed.
        drawers: threads.
    """
    pin = device.type == "cuda"

    def drawn(step: int) -> tuple[Batch, ...]:
        return tuple(as_tensors(part, pin=pin) for part in draw(step))

    stream = map_ahead(drawn, steps, threads=drawers, ahead=ahead)
    return _copied(stream, device) if pin else stream


def as_tensors(drawn: Drawn, *, pin: bool) -> Batch:
    """The same values as tensors, in pinned memory where that helps."""
    batch = {
        name: value if isinstance(value, Tensor) else torch.from_numpy(value)
        for name, value in drawn.items()
    }
    return {name: value.pin_memory() for name, value in batch.items()} if pin else batch


def _copied(
    stream: Iterable[tuple[Batch, ...]], device: torch.device
) -> Iterator[tuple[Batch, ...]]:
    """Copy one step ahead on a stream of its own."""
    side = torch.cuda.Stream(device)
    coming: tuple[tuple[Batch, ...], torch.cuda.Event] | None = None
    for parts in stream:
        with torch.cuda.stream(side):
            sent = tuple(
                {name: value.to(device, non_blocking=True) for name, value in part.items()}
                for part in parts
            )
            arrived = torch.cuda.Event()
            arrived.record(side)
        if coming is not None:
            yield _settled(*coming, device)
        coming = sent, arrived
    if coming is not None:
        yield _settled(*coming, device)


def _settled(
    parts: tuple[Batch, ...], arrived: torch.cuda.Event, device: torch.device
) -> tuple[Batch, ...]:
    """Let the computing stream wait for the copy, and keep the memory until it is done with it."""
    computing = torch.cuda.current_stream(device)
    computing.wait_event(arrived)
    for part in parts:
        for value in part.values():
            value.record_stream(computing)
    return parts
