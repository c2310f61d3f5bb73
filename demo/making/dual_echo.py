"""In-phase and opposed-phase MR of one breath-hold, in one series, simulated from a real CT.

The CT is an excerpt of a contrast liver CT (Colorectal-Liver-Metastases, TCIA, CC BY 4.0, see
NOTICE); `trainers.simulation.dual_echo` makes the two echoes of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage

from demo.making.marked import Sample, save, slice_of, uid
from trainers.readers.mr_ct import MrCtSeries, read_ct
from trainers.simulation.dual_echo import draw_parameters, simulate_dual_echo

SAMPLE = Sample(
    "dual_echo_abdomen",
    "SIMULATED DUAL ECHO",
    2,
    "Abdominal MR (sample)",
    "Simulated from an excerpt of Colorectal-Liver-Metastases (TCIA, CC BY 4.0); not acquired. "
    "For demonstration only.",
)
SOURCE = "ct_liver_ge_1004"
FIRST, COUNT = 8, 20
SEED = 9
"""Drawn: 1.5 T, noise in the middle of its range, as most series that the model knows."""
TERMS = {"OOP": "OUT_PHASE", "IP": "IN_PHASE"}
"""Input key to the Image Type term by which a Siemens scanner names the echo."""
BRIGHTEST = 1000.0


def make(shared: Path) -> None:
    """Write the sample."""
    ct = read_ct(shared / SOURCE)
    assert ct.ct is not None
    excerpt = MrCtSeries(ct.patient, {}, ct.ct[FIRST : FIRST + COUNT], ct.pixel_mm, ct.slice_mm)
    save(SAMPLE, _images(simulate_dual_echo(excerpt, SEED)))


def _images(series: MrCtSeries) -> Iterator[Dataset]:
    drawn = draw_parameters(np.random.default_rng(SEED))
    for echo, key in enumerate(TERMS):
        voxels = series.mr[key]
        scale = BRIGHTEST / float(np.percentile(series.mr["IP"], 99.5))
        stored = np.clip(np.rint(voxels * scale), 0, 4095)
        for index, image in enumerate(stored):
            ds = _slice(series, image, index)
            ds.ImageType = ["ORIGINAL", "PRIMARY", "M", TERMS[key], "NORM", "DIS2D"]
            ds.EchoTime = f"{drawn.echo_times_ms[echo]:.4g}"
            ds.EchoNumbers, ds.InstanceNumber = echo + 1, 2 * index + echo + 1
            ds.MagneticFieldStrength = f"{drawn.field_t:g}"
            ds.RepetitionTime, ds.FlipAngle = (
                f"{drawn.repetition_ms:.4g}",
                f"{drawn.flip_degrees:.3g}",
            )
            yield ds


def _slice(series: MrCtSeries, image: npt.NDArray[np.floating], index: int) -> Dataset:
    """PS3.3 C.8.3.1, as far as both echoes share it."""
    half = [size * series.pixel_mm / 2 for size in image.shape]
    place = (-half[1], -half[0], index * series.slice_mm)
    ds = slice_of(SAMPLE, image.astype(np.uint16), place)
    ds.SOPClassUID, ds.Modality = MRImageStorage, "MR"
    ds.SeriesInstanceUID, ds.SeriesNumber = uid("dual echo series"), 3
    ds.SeriesDescription = "T1 fl2d in/opposed phase (simulated)"
    ds.ProtocolName, ds.BodyPartExamined = "T1 dual echo", "ABDOMEN"
    ds.AcquisitionTime, ds.AcquisitionNumber = "101512", 1
    ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions = "GR", "SP", ""
    ds.MRAcquisitionType, ds.EchoTrainLength = "2D", 1
    ds.PixelSpacing = [f"{series.pixel_mm:.6g}"] * 2
    ds.SliceThickness = ds.SpacingBetweenSlices = f"{series.slice_mm:.6g}"
    return ds
