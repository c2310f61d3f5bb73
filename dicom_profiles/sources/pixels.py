"""Stored pixel values of one slice: decoded, rescaled, padding told apart.

PS3.3 C.7.6.3 (Image Pixel), C.11.1 (Modality LUT), C.7.5.1.1.2 (Pixel Padding).
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.errors import InvalidDicomError
from pydicom.uid import JPEG2000TransferSyntaxes, JPEGLossless, JPEGLosslessSV1

from dicom_profiles.errors import UnreadableInstance
from dicom_profiles.sources.jpeg_headers import describes_greyscale, describes_greyscale_2000
from dicom_profiles.sources.readable import leave_out_unreadable
from dicom_profiles.storage import can_decode, decoder_of, why_not_decodable

PADDING_HU = -1024.0
"""What a padded pixel reads as: padding is no measurement, and air harms nobody."""
NOT_A_CT_NUMBER_HU = -1500.0
"""Below this nothing is tissue or air: scanners fill the corners so without declaring it."""


@dataclass(frozen=True)
class PaddingFacts:
    """Padding of one slice, small enough to keep for every slice of a long series.

    Attributes:
        mask: (rows, columns) bits, packed and deflated.
        stored: the stored values under the mask, deflated int32.
    """

    mask: bytes
    stored: bytes

    def where(self, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
        """Which pixels are padding, (rows, columns)."""
        bits = np.frombuffer(zlib.decompress(self.mask), dtype=np.uint8)
        count = int(np.prod(shape))
        return np.unpackbits(bits, count=count).reshape(shape).astype(np.bool_)

    def restore(self, pixels: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Put the padding into stored values (rows, columns), in place; returns its mask."""
        mask = self.where(pixels.shape)
        pixels[mask] = np.frombuffer(zlib.decompress(self.stored), dtype=np.int32)
        return mask


@dataclass(frozen=True)
class SliceFacts:
    """What a writer must know of a source slice's pixels.

    Attributes:
        digest: SHA-256 of the decoded Pixel Data, hexadecimal; the same in every lossless
            transfer syntax.
        padding: the padding, or None where there is none.
    """

    digest: str
    padding: PaddingFacts | None


@dataclass(frozen=True, eq=False)
class DecodedSlice:
    """One decoded slice.

    Attributes:
        hu: (rows, columns) float32, rescaled; padding reads as `PADDING_HU` in CT, else 0.
        facts: digest and padding of the stored values.
    """

    hu: npt.NDArray[np.float32]
    facts: SliceFacts


def pixel_digest(stored: npt.NDArray[np.integer]) -> str:
    """SHA-256 (hexadecimal) of pixels as decoded, in little-endian order."""
    little = np.ascontiguousarray(stored, dtype=stored.dtype.newbyteorder("<"))
    return hashlib.sha256(little.data).hexdigest()


def decode(path: Path) -> DecodedSlice:
    """Decode one single-frame greyscale instance.

    Raises:
        UnreadableInstance: no pixels, no decoder, or damaged pixels.
    """
    ds = _read(path)
    raw = _pixel_array(ds, path)
    stored = _without_unused_bits(raw, ds)
    digest = pixel_digest(stored.astype(raw.dtype))
    slope, intercept = rescale_of(ds)
    # float64 only where the numbers need it: integers up to 16 bits are exact in float32.
    hu = stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    mask = _padding_mask(raw, stored, ds)
    is_ct = ds.get("Modality") == "CT"
    if is_ct:
        fill = hu < NOT_A_CT_NUMBER_HU
        mask = fill if mask is None else mask | fill
    padding = None
    if mask is not None and mask.any():
        padding = PaddingFacts(
            zlib.compress(np.packbits(mask).tobytes(), 1), zlib.compress(stored[mask].tobytes(), 1)
        )
        hu[mask] = PADDING_HU if is_ct else 0.0
    return DecodedSlice(hu, SliceFacts(digest, padding))


def rescale_of(header: Dataset) -> tuple[float, float]:
    """Slope and intercept (PS3.3 C.11.1); 1 and 0 where they are absent or empty."""
    slope, intercept = header.get("RescaleSlope"), header.get("RescaleIntercept")
    return 1.0 if slope in (None, "") else float(slope), float(intercept or 0)


def _read(path: Path) -> Dataset:
    try:
        ds = pydicom.dcmread(path)
    except (InvalidDicomError, OSError, EOFError, ValueError, KeyError, NotImplementedError) as e:
        raise UnreadableInstance(
            f"{path.name} should be a readable DICOM file, but reading failed "
            f"({type(e).__name__}); send the instance again."
        ) from e
    leave_out_unreadable(ds)
    return ds


def _pixel_array(ds: Dataset, path: Path) -> npt.NDArray[np.integer]:
    syntax = ds.file_meta.get("TransferSyntaxUID", "") if hasattr(ds, "file_meta") else ""
    if "PixelData" not in ds:
        raise UnreadableInstance(f"{path.name} should hold an image, but it has no pixel data.")
    if not can_decode(syntax):
        raise UnreadableInstance(f"{path.name}: {why_not_decodable(syntax)}")
    if not _has_sound_headers(ds, syntax):
        raise UnreadableInstance(
            f"{path.name}: the JPEG headers should describe one greyscale image of "
            f"{ds.get('Rows')} x {ds.get('Columns')}, and do not; send the instance again."
        )
    # padding may lie in unused bits
    ds.pixel_array_options(correct_unused_bits=False, decoding_plugin=decoder_of(syntax))
    try:
        pixels = ds.pixel_array
    except (ValueError, RuntimeError, AttributeError, NotImplementedError, TypeError) as e:
        raise UnreadableInstance(
            f"{path.name}: the pixels should decode to {ds.get('Rows')} x {ds.get('Columns')}, "
            f"but decoding failed ({type(e).__name__}); send the instance again."
        ) from e
    if pixels.ndim != 2 or ds.get("HighBit") != (ds.get("BitsStored") or 0) - 1:
        raise UnreadableInstance(
            f"{path.name} should hold one greyscale slice with High Bit = Bits Stored - 1, got "
            f"{pixels.ndim} dimensions and High Bit {ds.get('HighBit')}; send single-frame images."
        )
    return np.asarray(pixels)


def _has_sound_headers(ds: Dataset, syntax: str) -> bool:
    """Whether the decoder of this syntax may see the pixels: some take what they are told."""
    rows, columns, bits = (
        int(ds.get(keyword) or 0) for keyword in ("Rows", "Columns", "BitsAllocated")
    )
    try:
        if syntax in (JPEGLossless, JPEGLosslessSV1):
            return describes_greyscale(_frame(ds), rows, columns, bits)
        if syntax in JPEG2000TransferSyntaxes:
            return describes_greyscale_2000(_frame(ds), rows, columns)
    except (ValueError, struct.error):  # the fragments do not make a frame
        return False
    return True


def _frame(ds: Dataset) -> bytes:
    return get_frame(ds.PixelData, 0, number_of_frames=1)


def _without_unused_bits(raw: npt.NDArray[np.integer], ds: Dataset) -> npt.NDArray[np.int32]:
    """Stored values, (rows, columns): bits above Bits Stored may be old overlays (PS3.5 8.1.1)."""
    stored = raw.astype(np.int32)
    spare = 32 - int(ds.BitsStored)
    if ds.BitsStored == ds.BitsAllocated:
        return stored
    if ds.PixelRepresentation == 1:
        return np.asarray(np.left_shift(stored, spare) >> spare, dtype=np.int32)
    return stored & ((1 << int(ds.BitsStored)) - 1)


def declared_padding(ds: Dataset) -> tuple[int, int] | None:
    """Lowest and highest stored value that is padding (PS3.3 C.7.5.1.1.2), None without."""
    if ds.get("PixelPaddingValue") is None:
        return None
    limits = [ds.PixelPaddingValue, ds.get("PixelPaddingRangeLimit")]
    values = [_as_pixel(int(v), ds.PixelRepresentation) for v in limits if v is not None]
    return min(values), max(values)


def _padding_mask(
    raw: npt.NDArray[np.integer], stored: npt.NDArray[np.int32], ds: Dataset
) -> npt.NDArray[np.bool_] | None:
    """Mask (rows, columns) of declared padding, or None where none is declared.

    Some scanners pad outside Bits Stored: there, `stored` gets what the cut took away.
    """
    declared = declared_padding(ds)
    if declared is None:
        return None
    low, high = declared
    np.copyto(stored, raw, where=(raw >= low) & (raw <= high))
    return np.asarray((stored >= low) & (stored <= high), dtype=np.bool_)


def _as_pixel(value: int, pixel_representation: int) -> int:
    """Padding read with the wrong sign: its VR is US or SS, and files get that wrong."""
    if pixel_representation == 1:
        return value - 0x10000 if value > 0x7FFF else value
    return value & 0xFFFF if value < 0 else value
