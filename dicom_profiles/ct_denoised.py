"""The denoised CT series: CT Image Storage on the grid of its source.

PS3.3 A.3 and C.8.2.1. Exposure, CTDIvol, kernel and irradiation event stay: they
are still true of the photons behind the pixels, and the dose counts once because
the event's UID is the source's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import UID, CTImageStorage

from dicom_profiles import codes, uids
from dicom_profiles.ahead import map_ahead
from dicom_profiles.derived import (
    DerivedKind,
    DerivedSeries,
    encoded_references,
    image_common,
    refuse_anonymous,
)
from dicom_profiles.encoding.ct_pixels import CtEncoding, store_slice
from dicom_profiles.encoding.element_bytes import text_bytes
from dicom_profiles.encoding.outputs import in_step
from dicom_profiles.encoding.part10 import ElementEncoder, Encoded, FileEncoder, FolderWriter
from dicom_profiles.encoding.ready import ReadyImages, ReadySlice
from dicom_profiles.errors import DerivedObjectError
from dicom_profiles.inherited import SLICE_TAGS, STUDY_TAGS, empty_ct_elements, not_to_inherit
from dicom_profiles.provenance import Derivation, private_text
from dicom_profiles.sources.lossy import has_lost, lossy_compression
from dicom_profiles.sources.pixels import SliceFacts, declared_padding
from dicom_profiles.sources.series import SourceInstance, SourceSeries
from dicom_profiles.sources.source import Source, Sources

DENOISED_CT = DerivedKind(
    name="DEN",
    number=3,
    title="DENOISED",
    code=codes.DENOISED,
    sentence="Low-dose CT, denoised by a neural network.",
)
INPUT = "CT"
"""Key of the source among the pipeline's inputs."""
IMAGE_TYPE = ["DERIVED", "SECONDARY", "AXIAL", "", "SYNTHETIC", "AI_DENOISED"]

SOP_INSTANCE_UID = 0x00080018
WINDOW_KEYWORDS = (
    "WindowCenter",
    "WindowWidth",
    "WindowCenterWidthExplanation",
    "VOILUTFunction",
)
VOI_LUT_FUNCTIONS = ("", "LINEAR", "LINEAR_EXACT", "SIGMOID")  # PS3.3 C.11.2.1.3; none is LINEAR

# Center, width and name of the windows offered where the source has none.
WINDOWS = (("40", "400", "SOFT TISSUE"), ("-600", "1600", "LUNG"), ("400", "1800", "BONE"))


def write_denoised_ct(
    source: SourceSeries,
    slices: Iterable[npt.NDArray[np.float32]],
    derivation: Derivation,
    folder: Path,
) -> DerivedSeries:
    """Write the denoised series, one file a slice, durably.

    Args:
        source: the low-dose series.
        slices: (rows, columns) float32 in HU, in the order of the source.
        derivation: model, parameters, record, verdict, time.
        folder: made when absent; files are named DEN-0001.dcm and on.

    Raises:
        DerivedObjectError: other count or shape than the source, or values that do not fit.
    """
    refuse_anonymous({INPUT: source})
    series_uid = uids.series_uid(DENOISED_CT.name, source.sop_instance_uids, derivation.identity)
    encoder = _SliceEncoder(source, derivation, series_uid)
    paths, instance_uids, rescales = [], [], []
    with FolderWriter(folder) as files:
        for index, made in enumerate(_made_ready(source, slices)):
            uid, content = encoder.encode(index, made)
            paths.append(files.write(f"{DENOISED_CT.name}-{index + 1:04d}.dcm", content))
            instance_uids.append(uid)
            encoding = made.stored.encoding
            rescales.append((encoding.slope, encoding.intercept))
    return DerivedSeries(
        series_uid, DENOISED_CT.name, tuple(paths), tuple(instance_uids), tuple(rescales)
    )


class SlicePreparation:
    """Makes output slices ready while the network still works on others.

    Args:
        sources: what the slices are made of.
    """

    def __init__(self, sources: Sources) -> None:
        self._source = sources[INPUT]
        self._own = OwnElements(self._source)

    def __call__(self, index: int, hu: npt.NDArray[np.float32]) -> ReadySlice:
        """Make one output slice ready, whose source has been decoded.

        Raises:
            DerivedObjectError: it has not, or the values do not fit.
        """
        source = self._source
        facts = source.decoded_facts(index) if isinstance(source, SourceSeries) else None
        if facts is None:
            raise DerivedObjectError("Slices can be made ready once their source is decoded.")
        return self._own.ready(_Output(source.instances[index], facts, hu, None))


@dataclass(frozen=True, eq=False)
class _Output:
    """One output slice and where it belongs."""

    instance: SourceInstance
    facts: SliceFacts
    hu: npt.NDArray[np.float32]
    made: ReadySlice | None


class OwnElements:
    """What every slice has of its own; nothing of it depends on the quality record.

    Args:
        source: the low-dose series.
    """

    def __init__(self, source: Source) -> None:
        self._elements = ElementEncoder(source.headers[0].get("SpecificCharacterSet"))

    def ready(self, output: _Output) -> ReadySlice:
        """Stored values and elements of a slice, unless it has them; threads may share this."""
        if output.made is not None:
            return output.made
        header, encode = output.instance.header, self._elements
        stored = store_slice(output.hu, header, output.facts.padding)
        padding = declared_padding(header)
        elements = {
            **encode.copy(header, SLICE_TAGS - not_to_inherit(header)),
            **encode.kept((stored.encoding, padding), lambda: _rescale(stored.encoding, padding)),
            **encode.kept(_values(header, WINDOW_KEYWORDS), lambda: _windows(header)),
            **self._compression(output.instance),
            **encoded_references(header),
            **private_text("source_pixels_sha256", output.facts.digest),
            **private_text("output_pixels_sha256", stored.digest),
        }
        return ReadySlice(stored, elements)

    def _compression(self, instance: SourceInstance) -> Encoded:
        """Lossy Image Compression; only slices that have lost something differ in it."""
        if has_lost(instance):
            return self._elements.encode(lossy_compression(instance))
        return self._elements.kept("lossless", lambda: lossy_compression(instance))


class _SliceEncoder:
    """Puts files together; what all slices share is encoded once."""

    def __init__(self, source: SourceSeries, derivation: Derivation, series_uid: str) -> None:
        header = source.headers[0]
        self._series_uid = series_uid
        self._files = FileEncoder(CTImageStorage, derivation.ae_title)
        elements = ElementEncoder(header.get("SpecificCharacterSet"))
        common = image_common({INPUT: source}, DENOISED_CT, derivation)
        common.update(_ct_common(source, series_uid))
        self._common: Encoded = {
            **elements.encode(empty_ct_elements(header)),
            **elements.encode(common),
            **elements.copy(header, STUDY_TAGS),
        }

    def encode(self, index: int, made: ReadySlice) -> tuple[str, bytes]:
        """SOP Instance UID and Part 10 file of one slice."""
        uid = uids.instance_uid(self._series_uid, index, made.stored.digest)
        own = {SOP_INSTANCE_UID: text_bytes(SOP_INSTANCE_UID, "UI", uid)}
        elements = {**self._common, **made.elements, **own}
        return uid, self._files.encode(elements, uid, made.stored.pixels.data.cast("B"))


def _made_ready(
    source: SourceSeries, slices: Iterable[npt.NDArray[np.float32]]
) -> Iterator[ReadySlice]:
    """All of each slice's file but what the series shares; those not ready yet come last."""
    own, outputs = OwnElements(source), _paired(source, slices)
    count = len(slices.ready) if isinstance(slices, ReadyImages) else 0
    yield from map(own.ready, islice(outputs, count))
    yield from map_ahead(own.ready, outputs)


def _paired(source: SourceSeries, slices: Iterable[npt.NDArray[np.float32]]) -> Iterator[_Output]:
    """The output beside its source, refusing other counts and shapes."""
    ready = slices.ready if isinstance(slices, ReadyImages) else {}
    for index, (facts,), hu in in_step({INPUT: source}, slices):
        yield _Output(source.instances[index], facts, hu, ready.get(index))


def _ct_common(source: SourceSeries, series_uid: str) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID = CTImageStorage
    ds.SeriesInstanceUID = UID(series_uid)
    ds.Modality = "CT"
    ds.ImageType = IMAGE_TYPE
    _, ds.Rows, ds.Columns = source.shape
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 16, 15
    ds.RescaleType = "HU"
    return ds


def _rescale(encoding: CtEncoding, padding: tuple[int, int] | None) -> Dataset:
    """Rescale and padding of one slice (PS3.3 C.7.6.3, C.7.5.1, C.8.2.1)."""
    ds = Dataset()
    ds.PixelRepresentation = int(encoding.signed)
    ds.RescaleSlope, ds.RescaleIntercept = encoding.slope, encoding.intercept
    if padding is not None:
        vr = "SS" if encoding.signed else "US"
        value, limit = padding
        ds.add_new("PixelPaddingValue", vr, value)
        if limit != value:
            ds.add_new("PixelPaddingRangeLimit", vr, limit)
    return ds


def _values(header: Dataset, keywords: tuple[str, ...]) -> tuple[str, ...]:
    """Values of attributes as text, to tell whether two slices have the same."""
    return tuple(str(header.get(keyword)) for keyword in keywords)


def _windows(header: Dataset) -> Dataset:
    """VOI LUT (PS3.3 C.11.2): the source's windows, which its readers know; else the usual ones."""
    ds = Dataset()
    if _has_windows(header):
        for keyword in WINDOW_KEYWORDS:
            if keyword in header:
                ds[keyword] = header[keyword]
        if not header.get("VOILUTFunction"):  # present and empty, which is no term of it
            ds.pop("VOILUTFunction", None)
        return ds
    centers, widths, names = zip(*WINDOWS, strict=True)
    ds.WindowCenter, ds.WindowWidth = list(centers), list(widths)
    ds.WindowCenterWidthExplanation = list(names)
    return ds


def _has_windows(header: Dataset) -> bool:
    """Whether it has windows that a viewer can show; some senders write a width of 0."""
    try:
        centers, widths = (
            np.atleast_1d(np.array(header.get(keyword), np.float64))
            for keyword in WINDOW_KEYWORDS[:2]
        )
    except (TypeError, ValueError, OverflowError):
        return False
    finite = np.isfinite(centers).all() and np.isfinite(widths).all()
    sound = bool(finite and centers.shape == widths.shape and (widths > 0).all())
    return sound and str(header.get("VOILUTFunction") or "") in VOI_LUT_FUNCTIONS
