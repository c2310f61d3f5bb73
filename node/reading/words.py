"""What readers choose from: judgements and reasons."""

from __future__ import annotations

from typing import Literal, get_args

Judgement = Literal["real", "synthetic", "cannot_tell"]
"""What a reader may say of a case."""

JUDGEMENTS: tuple[Judgement, ...] = get_args(Judgement)

JUDGEMENT_LABELS: dict[str, str] = {
    "real": "Real",
    "synthetic": "Synthetic",
    "cannot_tell": "Cannot tell",
}

TAGS: dict[str, str] = {
    # Seen by the physicians of arXiv 2407.10888 in synthetic CT made from MR.
    "rib_asymmetry": "Asymmetric ribs",
    "artificial_kidney": "Artificial or extra kidney",
    # Known from other synthetic images; ours.
    "missing_structure": "Something is missing",
    "extra_structure": "Something is there that should not be",
    "blurred_edges": "Blurred or doubled edges",
    "texture": "Unnatural texture or noise",
    "too_smooth": "Too smooth",
    "wrong_density": "Wrong density of an organ or bone",
    "slice_to_slice": "Jumps from slice to slice",
    "artefact": "Artefact of a scanner (speaks for real)",
    "natural": "Everything looks natural (speaks for real)",
}
"""Reasons to tick, and how the page calls them; free text says the rest."""

LONGEST_REASON = 2000
"""Characters of free text."""
