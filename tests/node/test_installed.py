from __future__ import annotations

import pytest

from dicom_profiles import writers
from dicom_profiles.errors import DerivedObjectError
from node.installed import verify
from pipelines import catalog
from pipelines.errors import UnknownPipeline


@pytest.mark.parametrize("name", catalog.names())
def test_what_ships_is_whole(name: str) -> None:
    assert verify(name) == catalog.card(name).weights.sha256


def test_output_that_nobody_writes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "WRITERS", {})
    with pytest.raises(DerivedObjectError, match=r"'ldct_denoise'; add one to .*writers\.py"):
        verify("ldct_denoise")


def test_what_is_not_there_is_told() -> None:
    with pytest.raises(UnknownPipeline, match="nothing"):
        verify("nothing")
