"""The answers of a reading as JSON: for the analysis, or for anybody's own."""

from __future__ import annotations

from typing import Any

from node.reading.folder import Opened, ReadingFolder

FORMAT = "vscanner-reading-1"


def to_json(reading: ReadingFolder, opened: Opened | None) -> dict[str, Any]:
    """Everything that was said; with the truth of each case where the key was opened.

    Args:
        reading: whose answers.
        opened: its opened key, or None for answers alone.
    """
    study = reading.study
    return {
        "format": FORMAT,
        "name": study.name,
        "title": study.title,
        "modality": study.modality,
        "created": study.created.isoformat(),
        "key_sha256": study.key_sha256,
        "opened": opened.opened.isoformat() if opened else None,
        "readers": [reader.alias for reader in study.readers],
        "tags": study.tags,
        "cases": {case: _truth(case, opened) for case in study.cases},
        "answers": [row for reader in study.readers for row in _answers(reading, reader.alias)],
    }


def _truth(case: str, opened: Opened | None) -> dict[str, str]:
    if opened is None:
        return {}
    found = opened.key.cases[case]
    return {"truth": found.truth, "series": found.series}


def _answers(reading: ReadingFolder, alias: str) -> list[dict[str, Any]]:
    revisions = reading.answers.revisions(alias)
    order = reading.study.order_of(alias)
    return [
        {
            "reader": alias,
            "position": position,
            **revisions[case][-1].model_dump(mode="json"),
            "first_judgement": revisions[case][0].judgement,
            "revisions": len(revisions[case]),
            "seconds": round(sum(answer.seconds for answer in revisions[case]), 1),
        }
        for position, case in enumerate(order, 1)
        if case in revisions
    ]
