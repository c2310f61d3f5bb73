"""Mixed precision: in what numbers a network computes, and how small gradients survive it."""

from __future__ import annotations

import torch

from trainers.training.errors import SettingsError

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


class Precision:
    """What `autocast` and the gradient scalers of a run are set to.

    Args:
        name: `auto` (bf16 on a GPU that has it, fp16 on an older one, fp32 on a CPU), `bf16`,
            `fp16`, `fp32`.
        device: of the run.
    """

    def __init__(self, name: str, device: torch.device) -> None:
        self.device = device
        self.name = self._best() if name == "auto" else name
        if self.name not in DTYPES:
            raise SettingsError(f"--precision takes auto, {', '.join(DTYPES)}, got {name!r}.")

    def _best(self) -> str:
        if self.device.type != "cuda":
            return "fp32"
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"

    @property
    def reduced(self) -> bool:
        """Whether networks compute in half precision."""
        return self.name != "fp32"

    def autocast(self) -> torch.autocast:
        """The context in which a network is called; losses belong outside, in `float()`."""
        dtype = DTYPES[self.name] if self.reduced else torch.bfloat16
        return torch.autocast(self.device.type, dtype, enabled=self.reduced)

    def scaler(self) -> torch.amp.GradScaler:
        """A scaler that keeps small fp16 gradients from vanishing; idle in other precisions."""
        return torch.amp.GradScaler(self.device.type, enabled=self.name == "fp16")
