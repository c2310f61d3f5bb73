"""Lossy Image Compression of what is derived: once 01, always 01 (PS3.3 C.7.6.1.1.5)."""

from __future__ import annotations

from pydicom.dataset import Dataset

from dicom_profiles.sources.series import SourceInstance
from dicom_profiles.storage import is_lossy, lossy_method


def lossy_compression(*instances: SourceInstance) -> Dataset:
    """The attributes for an image that was made of these; the first that has lost tells how."""
    ds = Dataset()
    lost = next((one for one in instances if has_lost(one)), None)
    ds.LossyImageCompression = "00" if lost is None else "01"
    if lost is None:
        return ds
    header = lost.header
    syntax = str(header.file_meta.TransferSyntaxUID)
    if header.get("LossyImageCompressionRatio") is not None:
        ds["LossyImageCompressionRatio"] = header["LossyImageCompressionRatio"]
    elif is_lossy(syntax):
        size = int(header.Rows) * int(header.Columns) * int(header.BitsAllocated) // 8
        ds.LossyImageCompressionRatio = f"{size / max(lost.path.stat().st_size, 1):.2f}"
    if header.get("LossyImageCompressionMethod") is not None:
        ds["LossyImageCompressionMethod"] = header["LossyImageCompressionMethod"]
    elif is_lossy(syntax):
        ds.LossyImageCompressionMethod = lossy_method(syntax)
    return ds


def has_lost(instance: SourceInstance) -> bool:
    """Whether the pixels have ever been compressed with loss."""
    syntax = str(instance.header.file_meta.TransferSyntaxUID)
    return instance.header.get("LossyImageCompression") == "01" or is_lossy(syntax)
