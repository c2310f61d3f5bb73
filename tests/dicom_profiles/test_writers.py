from __future__ import annotations

import pytest

from dicom_profiles.ct_denoised import write_denoised_ct
from dicom_profiles.errors import DerivedObjectError
from dicom_profiles.writers import writer_for


def test_the_denoiser_writes_a_denoised_ct() -> None:
    assert writer_for("ldct_denoise") is write_denoised_ct


def test_a_pipeline_without_a_profile_is_refused() -> None:
    with pytest.raises(DerivedObjectError, match="ldct_denoise"):
        writer_for("nothing")
