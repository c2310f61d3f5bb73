"""From activity to SUV: what a PET's headers must say, and the factor that follows.

SUVbw = activity concentration x body weight / injected activity, the latter decayed to the time to
which the images are corrected (PS3.3 C.8.9.1 PET Series, C.8.9.2 PET Isotope, C.8.9.4 PET Image).
Nothing is guessed: what is missing or contradicts itself is an `SuvError` that says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.valuerep import DA, DT, TM

from dicom_profiles.derived import utc_offset
from dicom_profiles.errors import ProfileError
from dicom_profiles.reading import read_instances
from dicom_profiles.sources.series import SourceSeries
from dicom_profiles.volume import Volume

WEIGHT_KG = (1.0, 400.0)
DOSE_BQ = (1e6, 3e9)
"""What a person can weigh, and what can have been injected."""
LONGEST_UPTAKE_S = 6 * 3600.0
"""Half-lives later there is nothing to be measured; a time is wrong."""
SHORTEST_HALF_LIFE_S = 60.0
"""Rubidium-82 has 76 s."""
DECAY_FACTOR_TOLERANCE = 0.05
"""How far Decay Factor may be from what the times say (bed positions take minutes)."""


class SuvError(ProfileError):
    """The headers of a PET do not say how its values become SUV."""


@dataclass(frozen=True)
class SuvScale:
    """How the values of a PET series become SUVbw.

    Attributes:
        factor: SUVbw of one unit of the rescaled values.
        units: Units (0054,1001): BQML or GML.
        weight_kg: Patient's Weight; 0 where it is not needed.
        injected_bq: Radionuclide Total Dose; 0 where it is not needed.
        uptake_s: from injection to the time of decay correction.
        reasons: how each came to be known.
    """

    factor: float
    units: str
    weight_kg: float
    injected_bq: float
    uptake_s: float
    reasons: tuple[str, ...]


def suv_scale(headers: Sequence[Dataset]) -> SuvScale:
    """The scale of one PET series, from the headers of all its slices.

    Raises:
        SuvError: something is missing, or speaks against itself.
    """
    first = headers[0]
    units = _one(headers, "Units")
    if first.get("Modality") != "PT":
        raise SuvError(f"SUV needs a PET series, got modality {first.get('Modality')!r}.")
    if units == "GML":
        return _already_suv(first)
    if units != "BQML":
        raise SuvError(
            f"Units (0054,1001) should be BQML or GML, got {units!r}; a vendor's private scale is "
            "needed for others, send the series in Bq/ml."
        )
    _refuse_uncorrected(headers)
    weight = _weight_kg(first)
    dose, half_life, injected = _injection(first)
    reference, reason = _decay_reference(headers)
    uptake = _uptake_s(injected, reference)
    _hold_against_decay_factor(headers, reference, half_life)
    left = dose * 2.0 ** (-uptake / half_life)
    return SuvScale(1000.0 * weight / left, units, weight, dose, uptake, (reason,))


def read_suv_series(folder: Path) -> Volume:
    """A folder of one PET series as a volume in SUVbw.

    Raises:
        SuvError: the headers do not say how activity becomes SUV.
    """
    series = SourceSeries.of(read_instances(folder).instances)
    scale = suv_scale(series.headers)
    volume = series.load()
    voxels = (volume.voxels * np.float32(scale.factor)).astype(np.float32)
    return Volume(voxels, volume.affine, "SUVbw", volume.frame_of_reference)


def _already_suv(header: Dataset) -> SuvScale:
    """GML is SUV already; without SUV Type it is by body weight (PS3.3 C.8.9.1.1.3)."""
    kind = str(header.get("SUVType") or "BW")
    if kind != "BW":
        raise SuvError(f"SUV Type (0054,1006) should be BW, got {kind!r}.")
    return SuvScale(1.0, "GML", 0.0, 0.0, 0.0, ("The values are SUV by body weight already.",))


def _one(headers: Sequence[Dataset], keyword: str) -> str:
    found = {str(header.get(keyword) or "") for header in headers}
    if len(found) != 1:
        raise SuvError(f"All slices should have one {keyword}, got {len(found)} different values.")
    return found.pop()


def _refuse_uncorrected(headers: Sequence[Dataset]) -> None:
    correction = _one(headers, "DecayCorrection")
    if correction not in ("START", "ADMIN"):
        raise SuvError(
            "Decay Correction (0054,1102) should be START or ADMIN, got "
            f"{correction or 'nothing'!r}; the values are not corrected for decay."
        )
    said = headers[0].get("CorrectedImage") or ()
    done = {said} if isinstance(said, str) else set(said)
    missing = [name for name in ("ATTN", "DECY") if name not in done]
    if missing:
        raise SuvError(
            "Corrected Image (0028,0051) should name ATTN and DECY, but lacks "
            f"{', '.join(missing)}."
        )


def _weight_kg(header: Dataset) -> float:
    weight = float(header.get("PatientWeight") or 0)
    low, high = WEIGHT_KG
    if not low <= weight <= high:
        what = "is missing" if weight == 0 else "is not what a person weighs"
        raise SuvError(f"Patient's Weight (0010,1030) {what}; SUV by body weight needs it in kg.")
    return weight


def _injection(header: Dataset) -> tuple[float, float, datetime]:
    """Injected activity (Bq), half-life (s), time of injection."""
    items = header.get("RadiopharmaceuticalInformationSequence") or []
    if len(items) != 1:
        raise SuvError(
            f"Radiopharmaceutical Information (0054,0016) should have 1 item, got {len(items)}."
        )
    item = items[0]
    dose = float(item.get("RadionuclideTotalDose") or 0)
    if 0 < dose < DOSE_BQ[0] and DOSE_BQ[0] <= dose * 1e6 <= DOSE_BQ[1]:
        raise SuvError(
            "Radionuclide Total Dose (0018,1074) seems to be in MBq; it should be in Bq."
        )
    if not DOSE_BQ[0] <= dose <= DOSE_BQ[1]:
        what = "is missing" if dose == 0 else "is not what is injected"
        raise SuvError(f"Radionuclide Total Dose (0018,1074) {what}; SUV needs it in Bq.")
    half_life = float(item.get("RadionuclideHalfLife") or 0)
    if half_life < SHORTEST_HALF_LIFE_S:
        what = "is too short to be measured" if half_life else "is missing"
        raise SuvError(f"Radionuclide Half Life (0018,1075) {what}; SUV needs it in seconds.")
    return dose, half_life, _injected_at(item, header)


def _injected_at(item: Dataset, header: Dataset) -> datetime:
    """Radiopharmaceutical Start DateTime, else Start Time on the day of the series.

    In the zone of the series' own times, which carry none (0008,0201).
    """
    if item.get("RadiopharmaceuticalStartDateTime"):
        try:
            found = DT(str(item.RadiopharmaceuticalStartDateTime))
        except ValueError as error:
            raise SuvError("The time of injection (0018,1078) is not readable.") from error
        moment = datetime.combine(found.date(), found.time(), found.tzinfo)
        zone = utc_offset(header) if moment.tzinfo else None
        return (moment.astimezone(zone) if zone else moment).replace(tzinfo=None)
    if item.get("RadiopharmaceuticalStartTime"):
        return _moment(_day(header), str(item.RadiopharmaceuticalStartTime))
    raise SuvError("The time of injection (0018,1078) or (0018,1072) is missing.")


def _day(header: Dataset) -> str:
    day = str(header.get("SeriesDate") or header.get("AcquisitionDate") or "")
    if not day:
        raise SuvError("Series Date (0008,0021) is missing, which the time of injection needs.")
    return day


def _moment(day: str, time: str) -> datetime:
    try:
        return datetime.combine(DA(day), TM(time))
    except ValueError as error:
        raise SuvError("A date or a time of the PET is not readable.") from error


def _decay_reference(headers: Sequence[Dataset]) -> tuple[datetime, str]:
    """The moment to which the values are corrected (PS3.3 C.8.9.1.1.1)."""
    first = headers[0]
    if first.get("DecayCorrection") == "ADMIN":
        item = first.RadiopharmaceuticalInformationSequence[0]
        return _injected_at(item, first), "Values are corrected to the time of injection (ADMIN)."
    acquired = [_acquired(header) for header in headers]
    earliest = min(acquired)
    if first.get("SeriesDate") and first.get("SeriesTime"):
        series = _moment(str(first.SeriesDate), str(first.SeriesTime))
        if series <= earliest:
            return series, "Values are corrected to Series Time (START)."
    # a series that was made anew later carries the time of that
    return earliest, "Series Time is later than the acquisition; its earliest slice counts (START)."


def _acquired(header: Dataset) -> datetime:
    day, time = header.get("AcquisitionDate"), header.get("AcquisitionTime")
    if not day or not time:
        raise SuvError("Acquisition Date and Time (0008,0022), (0008,0032) are missing in a slice.")
    return _moment(str(day), str(time))


def _uptake_s(injected: datetime, reference: datetime) -> float:
    seconds = (reference - injected).total_seconds()
    if seconds < 0:
        raise SuvError(
            "The injection is later than the time of decay correction; where it was before "
            "midnight, Radiopharmaceutical Start DateTime (0018,1078) has to say so."
        )
    if seconds > LONGEST_UPTAKE_S:
        raise SuvError(
            f"The images were taken {seconds / 3600:.1f} hours after the injection; up to "
            f"{LONGEST_UPTAKE_S / 3600:.0f} hours are believed."
        )
    return seconds


def _hold_against_decay_factor(
    headers: Sequence[Dataset], reference: datetime, half_life: float
) -> None:
    """Decay Factor (0054,1321), where it is given, has to agree with the times."""
    for header in headers:
        factor = float(header.get("DecayFactor") or 0)
        if factor <= 0 or header.get("DecayCorrection") != "START":
            continue
        frame_s = float(header.get("ActualFrameDuration") or 0) / 1000
        middle = (_acquired(header) - reference).total_seconds() + frame_s / 2
        if abs(middle) > LONGEST_UPTAKE_S:
            raise SuvError(
                f"A slice was taken {abs(middle) / 3600:.1f} hours from the time of decay "
                f"correction; up to {LONGEST_UPTAKE_S / 3600:.0f} hours are believed."
            )
        wanted = math.exp(math.log(2) * middle / half_life)
        if abs(factor / wanted - 1) > DECAY_FACTOR_TOLERANCE:
            raise SuvError(
                f"Decay Factor (0054,1321) is {factor:.3f}, but the times make it {wanted:.3f}; "
                "one of Series Time, Acquisition Time and Half Life is wrong."
            )
