"""Which candidates become cases: pure, from a seed.

A reader who sees the source and what was made of it, side by side in one reading, compares two
pictures of one body instead of judging each. So by default each patient is shown once: of patients
with both, half are shown real and half synthetic, drawn by lot.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

from node.reading.errors import UnfitMaterial
from node.reading.material import Candidate


def choose(candidates: Sequence[Candidate], seed: int, *, pairs: bool) -> list[Candidate]:
    """The cases.

    Args:
        candidates: all of them.
        seed: of the lot.
        pairs: show a patient real and synthetic, instead of one of the two.

    Raises:
        UnfitMaterial: not at least one real and one synthetic case.
    """
    chosen = list(candidates) if pairs else _each_patient_once(candidates, random.Random(seed))
    for truth in ("real", "synthetic"):
        if not any(one.truth == truth for one in chosen):
            raise UnfitMaterial(
                f"At least one real and one synthetic case are wanted, got no {truth} one from "
                f"{len({one.patient for one in candidates})} patient(s); add folders, or show "
                "patients twice with --pairs."
            )
    return chosen


def _each_patient_once(candidates: Sequence[Candidate], lot: random.Random) -> list[Candidate]:
    patients: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        patients[candidate.patient].append(candidate)
    both = sorted(p for p, found in patients.items() if len({one.truth for one in found}) > 1)
    lot.shuffle(both)
    of_one_kind = [found for patient, found in sorted(patients.items()) if patient not in both]
    chosen = [lot.choice(found) for found in of_one_kind]
    for patient in both:
        missing = _more_real(chosen)
        truth = lot.choice(("real", "synthetic"))
        if missing:
            truth = "real" if missing > 0 else "synthetic"
        chosen.append(lot.choice([one for one in patients[patient] if one.truth == truth]))
    return chosen


def _more_real(chosen: Sequence[Candidate]) -> int:
    """How many real cases more would make both kinds equally many."""
    real = sum(one.truth == "real" for one in chosen)
    return (len(chosen) - real) - real
