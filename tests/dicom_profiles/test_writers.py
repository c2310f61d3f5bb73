from __future__ import annotations

from pathlib import Path

import pytest

from dicom_profiles.errors import DerivedObjectError
from dicom_profiles.provenance import Derivation
from dicom_profiles.writers import writer_for
from tests.dicom_profiles.conftest import Written


def test_the_denoiser_writes_a_denoised_ct(
    written: Written, derivation: Derivation, tmp_path: Path
) -> None:
    write = writer_for("ldct_denoise")
    (images,) = write(written.sources, iter(written.output), {}, derivation, tmp_path)
    assert images.sop_instance_uids == written.images.sop_instance_uids


def test_a_pipeline_without_a_profile_is_refused() -> None:
    with pytest.raises(DerivedObjectError, match="ldct_denoise"):
        writer_for("nothing")
