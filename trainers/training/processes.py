"""The processes of one run: alone, or several under `torchrun`.

Gradients are averaged once a step, in one message, after the last backward pass. That holds for
accumulated gradients and for several networks in turns, where PyTorch's wrapper needs exceptions.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, distributed, nn

from pipelines.engines.choose import device_of


class Processes:
    """Who we are among the processes of a run; alone, every call is a no-op.

    Args:
        device: `auto`, `cpu`, `cuda` or `cuda:N`; under `torchrun` each process takes its own GPU.

    Raises:
        EngineError: there is no such device.
    """

    def __init__(self, device: str) -> None:
        self.device = torch.device(device_of(device))
        on_gpu = self.device.type == "cuda"
        self.rank, self.count, self._ours = 0, 1, False
        if "RANK" not in os.environ:
            return
        if on_gpu:
            self.device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(self.device)
        if not self._joined:
            distributed.init_process_group("nccl" if on_gpu else "gloo")
            self._ours = True
        self.rank, self.count = distributed.get_rank(), distributed.get_world_size()

    @property
    def first(self) -> bool:
        """Whether this process writes files and talks."""
        return self.rank == 0

    @property
    def _joined(self) -> bool:
        return distributed.is_initialized()

    def leave(self) -> None:
        """Leave the group, if it was us who joined it."""
        if self._ours and self._joined:
            distributed.destroy_process_group()

    def wait(self) -> None:
        """Wait until every process is here."""
        if self._joined:
            distributed.barrier()

    @contextlib.contextmanager
    def first_goes_first(self) -> Iterator[None]:
        """The first process does the block, then the others: for caches that are made once."""
        if not self.first:
            self.wait()
        yield
        if self.first:
            self.wait()

    def same_everywhere(self, module: nn.Module) -> None:
        """Give every process the first one's parameters and buffers."""
        if self._joined:
            for tensor in module.state_dict().values():
                distributed.broadcast(tensor, 0)

    def mean(self, value: float) -> float:
        """Mean of a number over the processes."""
        return float(self._summed(torch.tensor([value])).item()) / self.count

    def told_by_first(self, value: float) -> float:
        """The first process's number, for all."""
        if self._joined:
            told = torch.tensor([value], dtype=torch.float64, device=self.device)
            distributed.broadcast(told, 0)
            value = float(told.item())
        return value

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes.

        A parameter that only some processes used counts as zero in the others; one that nobody
        used keeps no gradient.
        """
        if not self._joined:
            return
        wanted = [parameter for parameter in parameters if parameter.requires_grad]
        used = torch.tensor([float(parameter.grad is not None) for parameter in wanted])
        used = self._summed(used)
        shared = [one for one, count in zip(wanted, used.tolist(), strict=True) if count > 0]
        for one in shared:
            if one.grad is None:
                one.grad = torch.zeros_like(one)
        gradients = [one.grad for one in shared if one.grad is not None]
        if not gradients:
            return
        flat = self._summed(torch.cat([gradient.flatten().float() for gradient in gradients]))
        flat /= self.count
        parts = torch.split(flat, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def _summed(self, values: Tensor) -> Tensor:
        if not self._joined:
            return values
        values = values.to(self.device)
        distributed.all_reduce(values)
        return values
