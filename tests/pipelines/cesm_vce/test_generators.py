from __future__ import annotations

from pipelines.cesm_vce.generators import Autoencoder, ResidualGenerator, UNetGenerator


def test_each_network_is_that_of_its_paper() -> None:
    stages = [stage.first.out_channels for stage in Autoencoder().down]  # type: ignore[union-attr]
    assert stages == [24, 48, 96, 192]
    halvings = UNetGenerator().down
    assert len(halvings) == 8
    blocks = [m for m in ResidualGenerator().modules() if type(m).__name__ == "_Residual"]
    assert len(blocks) == 9
