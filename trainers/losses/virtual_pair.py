"""Virtual paired loss for unpaired low-dose CT denoising: OUR RECONSTRUCTION.

The Virtual Scanner paper (Ital-IA 2024) names a "paired virtual loss" inside an unpaired CycleGAN;
no publication or code defines it. This is the construction that fits the sentence. With G from
low dose to full dose and F back, a real full-dose image y makes a virtual pair (F(y), y), and

    L = |G(sg[F(y)]) - y|_1 + lambda |phi(G(sg[F(y)])) - phi(y)|_1

where sg stops gradients: only the denoiser G learns, as it would from real pairs. That is what
sets it apart from the cycle loss, which also teaches F to hide information.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from trainers.losses.replay import ReplayBuffer


class VirtualPairedLoss(nn.Module):
    """Supervised loss of a denoiser on pairs that the degrading generator made.

    Args:
        feature_loss: of (output, label), usually a `PerceptualLoss`; none leaves the term out.
        feature_weight: lambda in the formula.
        buffer: earlier virtual pairs to mix in; none uses only the latest.
    """

    def __init__(
        self,
        feature_loss: nn.Module | None = None,
        feature_weight: float = 0.1,
        buffer: ReplayBuffer | None = None,
    ) -> None:
        super().__init__()
        self.feature_loss = feature_loss
        self.feature_weight = feature_weight
        self.buffer = buffer

    def forward(
        self, denoise: Callable[[Tensor], Tensor], virtual_low_dose: Tensor, full_dose: Tensor
    ) -> Tensor:
        """One number for virtual pairs (batch, channels, rows, columns).

        Args:
            denoise: the generator G, low dose to full dose.
            virtual_low_dose: F(full_dose), or full_dose with simulated noise; gradients stop here.
            full_dose: the real images.
        """
        source, label = virtual_low_dose.detach(), full_dose.detach()
        if self.buffer is not None:
            source, label = self.buffer.exchange(source, label)
        output = denoise(source)
        loss = (output - label).abs().mean()
        if self.feature_loss is not None:
            loss = loss + self.feature_weight * self.feature_loss(output, label)
        return loss


def ramped_weight(step: int, warm_up: int, ramp: int, full: float = 10.0) -> float:
    """Weight of the loss at training step `step`: 0, then rising evenly, then `full`.

    Args:
        step: training step, from 0.
        warm_up: steps at weight 0, while F learns to make low-dose images.
        ramp: steps from 0 to `full`.
        full: the final weight.
    """
    if step < warm_up:
        return 0.0
    return full * min(1.0, (step - warm_up + 1) / max(1, ramp))
