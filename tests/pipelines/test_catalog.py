from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import catalog, load
from pipelines.errors import UnknownPipeline, WeightsError


def test_the_pipeline_of_this_product_is_there() -> None:
    assert "ldct_denoise" in catalog.names()
    assert catalog.card("ldct_denoise").name == "ldct_denoise"


@pytest.mark.parametrize("module", ["pipelines.catalog", "pipelines.gates", "pipelines.contract"])
def test_it_imports_no_torch(module: str) -> None:
    code = (
        f"import sys, {module}\nfrom pipelines import catalog\ncatalog.card('ldct_denoise')\n"
        "import pipelines.ldct_denoise.gate\n"
        "assert not {'torch', 'openvino', 'ncnn'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_brings_the_nearest() -> None:
    with pytest.raises(UnknownPipeline, match="did you mean ldct_denoise"):
        catalog.folder("ldct_denoize")
    with pytest.raises(UnknownPipeline, match=r"there are: .*ldct_denoise"):
        load("nothing_like_it")


def test_other_weights_are_not_handed_out(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    assert catalog.verified_weights(path, digest) == (digest, b"weights")
    path.write_bytes(b"weightz")
    with pytest.raises(WeightsError, match=rf"should have SHA-256 {digest}, got [0-9a-f]{{64}}"):
        catalog.verified_weights(path, digest)


def test_absent_weights_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        catalog.verified_weights(tmp_path / "weights.safetensors", "0" * 64)
