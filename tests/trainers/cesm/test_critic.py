from __future__ import annotations

import pytest
import torch

from trainers.cesm.critic import DisplayCritic


def test_a_score_depends_on_70_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    critic = DisplayCritic(width=4).eval()
    # Instance normalisation looks at the whole image.
    monkeypatch.setattr(torch.nn.InstanceNorm2d, "forward", lambda _module, image: image)
    image = torch.rand(1, 1, 256, 256, requires_grad=True)
    scores = critic(image)
    scores[0, 0, 15, 15].backward()
    assert image.grad is not None
    touched = image.grad[0, 0].abs().sum(dim=0) > 0
    assert int(touched.nonzero().max() - touched.nonzero().min()) + 1 == 70


def test_pairs_are_judged_together() -> None:
    critic = DisplayCritic(2, width=4)
    seen, one, other = (torch.rand(1, 1, 70, 70) for _ in range(3))
    assert not torch.equal(critic(seen, one), critic(seen, other))
    assert critic(seen, one).shape[:2] == (1, 1)
