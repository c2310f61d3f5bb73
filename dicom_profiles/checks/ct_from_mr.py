"""The checks of a synthetic CT beside those that every derived image gets."""

from __future__ import annotations

from pydicom.dataset import Dataset

from dicom_profiles.ct_from_mr import IMAGE_TYPE
from dicom_profiles.sources.source import Sources

UNTRUE = (
    "CTDIvol",
    "CTDIPhantomTypeCodeSequence",
    "Exposure",
    "ExposureTime",
    "XRayTubeCurrent",
    "ConvolutionKernel",
    "IrradiationEventUID",
    "ContrastBolusAgent",
    "ContrastBolusAgentSequence",
    "MagneticFieldStrength",
    "EchoTime",
    "RepetitionTime",
    "ScanningSequence",
)
"""Attributes that would say that X-rays were used, or that this is an MR."""


def findings(dataset: Dataset, sources: Sources) -> list[str]:
    """What is wrong with one image."""
    found = []
    if [str(value or "") for value in dataset.get("ImageType") or []] != IMAGE_TYPE:
        found.append("Image Type should be " + "\\".join(IMAGE_TYPE) + ".")
    if "KVP" not in dataset or dataset.KVP is not None:
        found.append("KVP should be there with zero length: there were no X-rays.")
    if str(dataset.get("RescaleType") or "") != "HU":
        found.append("Rescale Type should be HU.")
    untrue = [keyword for keyword in UNTRUE if keyword in dataset]
    if untrue:
        found.append(f"{', '.join(untrue)} should be absent: nobody was exposed.")
    wanted = {source.series_instance_uid for source in sources.values()}
    series = dataset.get("ReferencedSeriesSequence") or []
    if {str(item.get("SeriesInstanceUID", "")) for item in series} != wanted:
        found.append("Referenced Series Sequence should name the series of every input.")
    images = dataset.get("SourceImageSequence") or []
    if len(images) != len(sources):
        found.append(
            f"Source Image Sequence should name one slice of each of {len(sources)} inputs, got "
            f"{len(images)}."
        )
    return found
