from __future__ import annotations

import pytest

from dicom_profiles import errors


@pytest.mark.parametrize(
    "error",
    [
        errors.UnreadableInstance,
        errors.GeometryError,
        errors.SeriesError,
        errors.DerivedObjectError,
    ],
)
def test_one_except_catches_them_all(error: type[Exception]) -> None:
    assert issubclass(error, errors.ProfileError)
    assert issubclass(error, ValueError)
