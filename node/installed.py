"""Whether a pipeline is whole: its parts, its weights, and a profile that writes what it gives."""

from __future__ import annotations

from dicom_profiles.writers import writer_for
from pipelines import catalog


def verify(name: str) -> str:
    """Hold a pipeline against what it needs to work in the node.

    Returns:
        SHA-256 digest of its weights.

    Raises:
        PipelineError: a part is missing, does not work or is not what the card says.
        DerivedObjectError: nobody writes its output.
    """
    digest = catalog.verify(name)
    for part in catalog.PARTS:
        catalog.module(name, part)
    writer_for(name)
    return digest
