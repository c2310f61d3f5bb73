"""Which MR series are in-phase, opposed-phase, or otherwise T1-weighted, told from their headers.

DICOM profile section 3.2. Vendors write the phase of a gradient echo into Image Type or into free
text, and the echo time tells it too: fat and water come together once in every cycle of their
difference in frequency. Image Type wins; else the echo time decides and text only supports it.
Where text and echo time disagree the confidence is below what the node runs on, so a person looks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage

from dicom_profiles.errors import ProfileError
from dicom_profiles.recognition.series import Recognition, not_plain, synthetic_signs
from dicom_profiles.sources.geometry import is_axial
from dicom_profiles.sources.series import numbers

IN_PHASE, OPPOSED_PHASE, OTHER_T1, T2 = "mr_in_phase", "mr_opposed_phase", "mr_t1", "mr_t2"
"""Kinds that are inputs of some model."""

# Image Type (0008,0008) terms: Siemens IN_PHASE and OUT_PHASE, Philips IP and OP.
IN_TERMS = frozenset({"IN_PHASE", "IP", "INPHASE"})
OPPOSED_TERMS = frozenset({"OUT_PHASE", "OPP_PHASE", "OP", "OPPOSED_PHASE", "OUTPHASE"})
MAP_TERMS = frozenset(
    {"W", "F", "WATER", "FAT", "FF", "WF", "FAT_FRACTION", "WATER_FRACTION", "FRACTION", "ADC",
     "DIFFUSION", "TRACE", "T1_MAP", "T2_MAP", "T2_STAR_MAP", "T2STAR", "R2_STAR", "R2STAR",
     "SUBTRACTION", "SUB", "SUM", "DIFFERENCE", "ADDITION", "DCE", "MIP", "PROJECTION IMAGE", "MPR",
     "PHASE", "PHASE MAP", "P", "R", "I", "FIELD_MAP", "B0"}
)  # fmt: skip
"""Images computed from others, or not of magnitude."""
MAP_SCAN_OPTIONS = frozenset({"DIXW", "DIXF"})
"""GE's Scan Options (0018,0022) of water and fat images."""
FAT_SUPPRESSED = frozenset({"FS", "FATSAT", "SPIR", "SPAIR", "STIR", "FAT_SAT"})

TEXTS = ("SeriesDescription", "ProtocolName")
IN_TEXT = re.compile(r"in.?(of.?)?.?ph|\bip\b", re.IGNORECASE)
OPPOSED_TEXT = re.compile(
    r"out.?(of.?)?.?ph|opp(osed)?.?(ph|\b)|\boop\b|\bop\b|\bout\b", re.IGNORECASE
)
BOTH_TEXT = re.compile(
    r"(?<![a-z])in[\W_]*(and[\W_]*)?(out|opp)|(out|opp)[\W_]*(and[\W_]*)?in(?![a-z])", re.IGNORECASE
)
"""The name of a whole dual echo: `Ax T1 in/out of phase`, `fl2d opp-in`."""
MAP_TEXT = re.compile(
    r"^(water|fat)\b|[_: ](water|fat|w|f)$|dixon.?w|\bfat.?frac|\bff\b|\bsub(traction)?\b|\badc\b|"
    r"\bmip\b",
    re.IGNORECASE,
)
LOCALIZER_TEXT = re.compile(r"survey|scout|locali[sz]er|3.?plane|calibration", re.IGNORECASE)
SUPPRESSED_TEXT = re.compile(r"fat.?sat|\bfs\b|stir|spir|spair", re.IGNORECASE)
CONTRAST_TEXT = re.compile(r"\bdyn|\bdce\b|post|arterial|venous|portal|\bgd\b|\+c\b", re.IGNORECASE)
T1_TEXT = re.compile(r"t1", re.IGNORECASE)
T2_TEXT = re.compile(r"t2", re.IGNORECASE)

SHIFT_PPM, GYROMAGNETIC_MHZ_PER_T = 3.4, 42.577
"""Difference in frequency of fat and water."""
CYCLE_TOLERANCE = 0.17
"""How far an echo may be from a whole or a half cycle, in cycles."""
MOST_CYCLES = 2.2
"""Later echoes of a gradient echo are weighted by T2*, not by T1."""
GAUSS_ABOVE_T, GAUSS_IN_A_TESLA = 30.0, 10_000.0
LONGEST_T1_TE_MS, LONGEST_T1_TR_MS = 30.0, 1200.0
SHORTEST_T2_TE_MS = 60.0

SURE, TOLD_TWICE, TOLD_ONCE, DOUBTFUL = 1.0, 0.95, 0.85, 0.5
"""Confidence: by Image Type; echo time and text; one of them; one against the other."""


@dataclass(frozen=True)
class _Echo:
    """What the echo time of a gradient echo says: a kind or "", and a sentence."""

    kind: str
    sentence: str


def recognise_mr(headers: Sequence[Dataset]) -> Recognition:
    """Tell what the images of one stack are.

    Args:
        headers: of all images; a dual echo is already parted by echo time.
    """
    if not headers:
        return Recognition("other", SURE, ("There are no instances.",))
    for header in headers:
        signs = synthetic_signs(header)
        if signs:
            return Recognition("synthetic", SURE, tuple(signs))
    for header in headers:
        for sentence in _against(header):
            return Recognition("other", SURE, (sentence,))
    first = headers[0]
    by_type = {_phase_of_type(header) for header in headers}
    if len(by_type) > 1:
        return Recognition("other", SURE, ("The stack mixes phases; part it by echo.",))
    return _phase(by_type.pop(), first) or _weighting(first)


def _phase(by_type: str, header: Dataset) -> Recognition | None:
    """In phase, opposed phase, or None when it is neither."""
    text = _phase_of_text(header)
    if by_type:
        return Recognition(by_type, SURE, (f"Image Type says {_words(by_type)}.",))
    echo = _phase_of_echo(header)
    if echo.kind and text and text != echo.kind:
        against = f"The text says {_words(text)}, which contradicts the echo time."
        return Recognition(echo.kind, DOUBTFUL, (echo.sentence, against))
    if echo.kind and text:
        return Recognition(echo.kind, TOLD_TWICE, (echo.sentence, "The text says so too."))
    if echo.kind:
        return Recognition(echo.kind, TOLD_ONCE, (echo.sentence,))
    if text:
        reason = f"The text says {_words(text)}, but {echo.sentence}"
        return Recognition(text, DOUBTFUL, (reason,))
    return None


def _weighting(header: Dataset) -> Recognition:
    """T1- or T2-weighted, by text and times."""
    text = _text(header)
    echo, repetition = _number(header, "EchoTime"), _number(header, "RepetitionTime")
    t1_times = 0 < echo <= LONGEST_T1_TE_MS and 0 < repetition <= LONGEST_T1_TR_MS
    says_t1, says_t2 = bool(T1_TEXT.search(text)), bool(T2_TEXT.search(text))
    if says_t1 != says_t2:
        kind = OTHER_T1 if says_t1 else T2
        if says_t1 and echo >= SHORTEST_T2_TE_MS:
            sentence = f"The text says T1, but the echo time is {echo:g} ms."
            return Recognition(kind, DOUBTFUL, (sentence,))
        agrees = says_t1 and t1_times
        return Recognition(
            kind,
            TOLD_TWICE if agrees else TOLD_ONCE,
            (f"The text says {'T1' if says_t1 else 'T2'}.",),
        )
    if t1_times and "SE" in _values(header, "ScanningSequence"):
        sentence = f"A spin echo with TE {echo:g} ms and TR {repetition:g} ms is T1-weighted."
        return Recognition(OTHER_T1, TOLD_ONCE, (sentence,))
    if echo >= SHORTEST_T2_TE_MS:
        return Recognition(T2, TOLD_ONCE, (f"An echo time of {echo:g} ms is T2-weighted.",))
    return Recognition("other", SURE, ("Nothing says in phase, opposed phase or T1.",))


def _against(header: Dataset) -> Iterator[str]:
    """Why an image is no plain axial magnitude image without contrast medium."""
    unlike = not_plain(header, MRImageStorage)
    if unlike:
        yield unlike
        return
    kinds, text = set(_values(header, "ImageType")), _text(header)
    phased = bool(kinds & (IN_TERMS | OPPOSED_TERMS))
    if kinds & {"LOCALIZER", "SCOUT"} or LOCALIZER_TEXT.search(text):
        yield "It is a localizer or a survey."
    if kinds & MAP_TERMS - ({"P", "R", "I"} if phased else set()):
        yield f"Image Type says that it is computed: {min(kinds & MAP_TERMS)}."
    if set(_values(header, "ScanOptions")) & MAP_SCAN_OPTIONS:
        yield "Scan Options say that it is a water or a fat image."
    if not phased and MAP_TEXT.search(text.strip()):
        yield "The text says that it is a map or a water or fat image."
    if "DERIVED" in kinds and not phased:
        yield "Image Type says DERIVED: it was computed from other images."
    if not _lies_across(header):
        yield "The slices do not lie across the body axis."
    yield from _against_contrast(header, text)


def _against_contrast(header: Dataset, text: str) -> Iterator[str]:
    suppressed = {option.replace(" ", "") for option in _values(header, "ScanOptions")}
    without_fat = bool(suppressed & FAT_SUPPRESSED or SUPPRESSED_TEXT.search(text))
    if without_fat and not T2_TEXT.search(text):
        yield "Its fat is suppressed; the models were trained with fat."
    if "IR" in _values(header, "ScanningSequence"):
        yield "It is an inversion recovery."
    agent = str(header.get("ContrastBolusAgent") or "").strip().upper()
    if agent not in ("", "NONE", "NO") or CONTRAST_TEXT.search(text):
        yield "It was taken with contrast medium."


def _phase_of_type(header: Dataset) -> str:
    kinds = set(_values(header, "ImageType"))
    if bool(kinds & IN_TERMS) == bool(kinds & OPPOSED_TERMS):
        return ""
    return IN_PHASE if kinds & IN_TERMS else OPPOSED_PHASE


def _phase_of_text(header: Dataset) -> str:
    """By the description; "" when it says neither or both (a dual echo's protocol)."""
    text = str(header.get("SeriesDescription") or "") or _text(header)
    says_in, says_opposed = bool(IN_TEXT.search(text)), bool(OPPOSED_TEXT.search(text))
    if says_in == says_opposed or BOTH_TEXT.search(text):
        return ""
    return IN_PHASE if says_in else OPPOSED_PHASE


def _phase_of_echo(header: Dataset) -> _Echo:
    """By the echo time of a gradient echo: whole cycles are in phase, half ones opposed."""
    sequence = set(_values(header, "ScanningSequence"))
    if (sequence and not sequence & {"GR", "RM"}) or sequence & {"SE", "EP"}:
        return _Echo("", "it is no gradient echo.")
    echo, field = _number(header, "EchoTime"), _number(header, "MagneticFieldStrength")
    field = field / GAUSS_IN_A_TESLA if field > GAUSS_ABOVE_T else field
    if echo <= 0 or field <= 0:
        return _Echo("", "echo time and field strength do not confirm it.")
    cycles = echo * SHIFT_PPM * GYROMAGNETIC_MHZ_PER_T * field / 1000
    told = f"TE {echo:g} ms at {field:g} T is {cycles:.2f} cycles of fat against water"
    if cycles > MOST_CYCLES:
        return _Echo("", f"{told}: too late for T1 weighting.")
    part = cycles % 1.0
    if cycles > 0.5 and min(part, 1 - part) <= CYCLE_TOLERANCE:
        return _Echo(IN_PHASE, f"{told}: in phase.")
    if abs(part - 0.5) <= CYCLE_TOLERANCE:
        return _Echo(OPPOSED_PHASE, f"{told}: opposed phase.")
    return _Echo("", f"{told}: neither.")


def _lies_across(header: Dataset) -> bool:
    try:
        return is_axial(numbers(header, "ImageOrientationPatient", 6))
    except ProfileError:
        return False


def _words(kind: str) -> str:
    return {IN_PHASE: "in phase", OPPOSED_PHASE: "opposed phase"}[kind]


def _text(header: Dataset) -> str:
    return " ".join(str(header.get(keyword) or "") for keyword in TEXTS)


def _values(header: Dataset, keyword: str) -> list[str]:
    value = header.get(keyword) or []
    every = [value] if isinstance(value, str) else list(value)
    return [str(one).strip().upper() for one in every]


def _number(header: Dataset, keyword: str) -> float:
    """The number of an attribute, 0 when it is missing or is none."""
    try:
        return float(numbers(header, keyword, 1)[0])
    except ProfileError:
        return 0.0
