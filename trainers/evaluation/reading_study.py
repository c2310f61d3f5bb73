"""Analyse a blind reading: can readers tell real from synthetic, and why do they think so?

    python -m trainers.evaluation.reading_study answers.json --out report

`answers.json` is what `vscanner reading analyse` writes (it starts this module). Writes
`reading.json` with every figure and `reading.html`, one file without links, into the folder.
Accuracies and chi-squared tests leave "cannot tell" out, as arXiv 2407.10888 does; how often it was
said is reported beside them.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from trainers.errors import TrainersError
from trainers.metrics.measurement import Measurement, MetricError
from trainers.metrics.reading import (
    fleiss_kappa,
    independence_p,
    krippendorff_alpha,
    permutation_p,
    proportion,
)
from trainers.training.script import exit_code

FORMAT = "vscanner-reading-1"
TRUTHS = ("real", "synthetic")
JUDGEMENTS = ("real", "synthetic", "cannot_tell")
TEMPLATE = "reading_study.html"

Figure = dict[str, Any]
"""A measurement as JSON, or why there is none."""


class AnswersError(TrainersError):
    """The answers are not those of an opened reading."""


@dataclass(frozen=True)
class Answer:
    """What one reader said of one case.

    Attributes:
        reader: alias.
        case: token.
        truth: real or synthetic.
        judgement: real, synthetic or cannot tell.
        tags: reasons that were ticked.
        reason: in the reader's words.
        seconds: how long the case was looked at.
    """

    reader: str
    case: str
    truth: str
    judgement: str
    tags: tuple[str, ...]
    reason: str
    seconds: float


@dataclass(frozen=True)
class Study:
    """An opened reading.

    Attributes:
        facts: name, title, times and digest, as in the file.
        readers: aliases.
        truths: token to real or synthetic, of all cases.
        series: token to Series Instance UID.
        tags: reason to its label.
        answers: the ones that count.
    """

    facts: Mapping[str, Any]
    readers: tuple[str, ...]
    truths: Mapping[str, str]
    series: Mapping[str, str]
    tags: Mapping[str, str]
    answers: tuple[Answer, ...]


def read_study(path: Path) -> Study:
    """Read the answers of an opened reading.

    Raises:
        AnswersError: another file, or the key was not opened.
    """
    try:
        given = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise AnswersError(f"{path.name} should hold the answers of a reading as JSON.") from error
    if given.get("format") != FORMAT or not given.get("opened"):
        raise AnswersError(
            f"Answers in the format {FORMAT} with an opened key are wanted, got "
            f"{given.get('format')!r}; make them with `vscanner reading analyse`."
        )
    truths = {token: case["truth"] for token, case in given["cases"].items()}
    return Study(
        facts={
            k: given[k] for k in ("name", "title", "modality", "created", "opened", "key_sha256")
        },
        readers=tuple(given["readers"]),
        truths=truths,
        series={token: case["series"] for token, case in given["cases"].items()},
        tags=given["tags"],
        answers=tuple(_answer(row, truths) for row in given["answers"]),
    )


def _answer(row: Mapping[str, Any], truths: Mapping[str, str]) -> Answer:
    names = ("reader", "case", "judgement", "reason", "seconds")
    fields = {name: row[name] for name in names}
    return Answer(**fields, truth=truths[row["case"]], tags=tuple(row["tags"]))


def analyse(study: Study, against: Study | None = None) -> dict[str, Any]:
    """Every figure of a reading as JSON.

    Args:
        study: the reading.
        against: another one whose calls are compared, or None.
    """
    everybody = f"{len(study.readers)} readers, {len(study.truths)} cases"
    found: dict[str, Any] = {
        **study.facts,
        "cases": dict(Counter(study.truths.values())),
        "readers": len(study.readers),
        "pooled": _line(study.answers, everybody),
        "by_reader": {
            alias: _line([a for a in study.answers if a.reader == alias], f"reader {alias}")
            for alias in study.readers
        },
        "knowledge": _knowledge(study, everybody),
        "agreement": _agreement(study, everybody),
        "tags": _tags(study),
        "by_case": _cases(study),
    }
    if against is not None:
        found["against"] = _comparison(study, against)
    return found


def _line(answers: Sequence[Answer], what: str) -> dict[str, Any]:
    """Counts, accuracies and the chi-squared test of some answers."""
    table = _table(answers)
    decided = table[:, :2]
    right = np.diag(decided)
    median = float(np.median([a.seconds for a in answers])) if answers else None
    return {
        "answers": len(answers),
        "said": {
            truth: dict(zip(JUDGEMENTS, row, strict=True))
            for truth, row in zip(TRUTHS, table.tolist(), strict=True)
        },
        "accuracy": _share(right.sum(), decided.sum(), "accuracy", what),
        "accuracy_real": _share(right[0], decided[0].sum(), "accuracy on real cases", what),
        "accuracy_synthetic": _share(
            right[1], decided[1].sum(), "accuracy on synthetic cases", what
        ),
        "cannot_tell": _share(table[:, 2].sum(), table.sum(), "cannot tell", what),
        "independence": _figure(lambda: independence_p(decided.tolist(), what)),
        "median_seconds": median,
    }


def _knowledge(study: Study, what: str) -> Figure:
    """The primary test: does anybody know anything, whatever ties the answers together?"""
    cases = sorted(study.truths)
    votes = _votes(study.answers, cases)
    is_synthetic = np.array([study.truths[case] == "synthetic" for case in cases])
    return _figure(lambda: permutation_p(votes[:, :2].astype(np.float64), is_synthetic, what))


def _agreement(study: Study, what: str) -> dict[str, Figure]:
    votes = _votes(study.answers, sorted(study.truths))
    complete = votes[votes.sum(axis=1) == len(study.readers)]
    return {
        "fleiss_kappa": _figure(lambda: fleiss_kappa(complete, f"{what}; judged by all")),
        "krippendorff_alpha": _figure(lambda: krippendorff_alpha(votes, what)),
    }


def _tags(study: Study) -> list[dict[str, Any]]:
    """How often each reason was ticked on real and on synthetic cases, the most frequent first."""
    ticked = Counter((tag, answer.truth) for answer in study.answers for tag in answer.tags)
    rows = [
        {"tag": tag, "label": label, **{truth: ticked[tag, truth] for truth in TRUTHS}}
        for tag, label in study.tags.items()
    ]
    return sorted(rows, key=lambda row: -sum(row[truth] for truth in TRUTHS))


def _cases(study: Study) -> list[dict[str, Any]]:
    """What was said of each case; those that fooled most readers first."""
    rows = []
    for case, truth in study.truths.items():
        answers = [answer for answer in study.answers if answer.case == case]
        said = Counter(answer.judgement for answer in answers)
        wrong = said["synthetic" if truth == "real" else "real"]
        reasons = [
            {"reader": a.reader, "said": a.judgement, "tags": list(a.tags), "reason": a.reason}
            for a in answers
            if a.tags or a.reason
        ]
        rows.append(
            {
                "case": case,
                "series": study.series[case],
                "truth": truth,
                "said": {judgement: said[judgement] for judgement in JUDGEMENTS},
                "wrong": wrong,
                "reasons": reasons,
            }
        )
    return sorted(rows, key=lambda row: (-row["wrong"], row["case"]))


def _comparison(study: Study, against: Study) -> dict[str, Any]:
    """Whether two readings were called real as often, as the paper compares its surveys."""
    calls = [_table(each.answers)[:, :2].sum(axis=0).tolist() for each in (study, against)]
    what = f"{study.facts['name']} and {against.facts['name']}"
    return {
        "name": against.facts["name"],
        "calls": calls,
        "independence": _figure(lambda: independence_p(calls, what)),
    }


def _table(answers: Iterable[Answer]) -> npt.NDArray[np.int64]:
    """Counts (truth, judgement)."""
    table = np.zeros((len(TRUTHS), len(JUDGEMENTS)), dtype=np.int64)
    for answer in answers:
        table[TRUTHS.index(answer.truth), JUDGEMENTS.index(answer.judgement)] += 1
    return table


def _votes(answers: Iterable[Answer], cases: Sequence[str]) -> npt.NDArray[np.int64]:
    """Counts (case, judgement)."""
    votes = np.zeros((len(cases), len(JUDGEMENTS)), dtype=np.int64)
    place = {case: row for row, case in enumerate(cases)}
    for answer in answers:
        votes[place[answer.case], JUDGEMENTS.index(answer.judgement)] += 1
    return votes


def _share(successes: np.int64, n: np.int64, name: str, what: str) -> Figure:
    return _figure(lambda: proportion(int(successes), int(n), name, what))


def _figure(measure: Callable[[], Measurement]) -> Figure:
    """The measurement as JSON; without a value, and with the reason, where it has no meaning."""
    try:
        return measure().to_json()
    except MetricError as error:
        return {"value": None, "why": str(error)}


def html_report(found: Mapping[str, Any]) -> str:
    """The report as one page."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # readers write free text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": _percent, "p": _p}
    return environment.get_template(TEMPLATE).render(found=found, JUDGEMENTS=JUDGEMENTS)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _p(value: float | None) -> str:
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, write the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("answers", type=Path, help="answers.json of `vscanner reading analyse`")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for the report")
    parser.add_argument("--against", type=Path, metavar="FILE", help="answers of another reading")
    return exit_code(partial(run, parser.parse_args(argv)))


def run(given: argparse.Namespace) -> None:
    """Analyse, write both files, say the figure that was asked for."""
    against = read_study(given.against) if given.against else None
    found = analyse(read_study(given.answers), against)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "reading.json").write_text(json.dumps(found, indent=1) + "\n")
    (given.out / "reading.html").write_text(html_report(found))
    pooled, knows = found["pooled"], found["knowledge"]
    print(
        f"{found['name']}: {pooled['answers']} answers, accuracy "
        f"{_percent(pooled['accuracy']['value'])}, p by permutation {_p(knows['value'])}; "
        f"report: {given.out / 'reading.html'}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
