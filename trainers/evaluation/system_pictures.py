"""One picture of a few cases: input, truth, what each system makes of it, and how far it is off.

    python -m trainers.evaluation.system_pictures NAME --data PLACE --run A=runs/a ... \
        --methods A --cases "simulated 9.3" --out picture.png

NAME is a pipeline; the options are those of `vscanner evaluate NAME`, and what is served comes last
under the name that `--served` gives it. Each case takes two rows: images, then differences from the
truth.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes

matplotlib.use("Agg")
from matplotlib import pyplot

from trainers.evaluation.case import OURS, Case, Evaluation, EvaluationError, View, Voxels
from trainers.evaluation.command import chosen, parser_of, split_and_place
from trainers.evaluation.measuring import regions
from trainers.training.script import exit_code

INCHES, DOTS = 1.25, 84
"""Side of an image, and dots an inch."""

COLOURS = "RdBu_r"
"""Of differences: red is too much."""


@dataclass(frozen=True, eq=False)
class Shown:
    """One slice of a case; (rows, columns) each.

    Attributes:
        title: of the case.
        source: its first input.
        truth: what is wanted.
        made: by method.
        inside: where differences are shown.
    """

    title: str
    source: Voxels
    truth: Voxels
    made: Mapping[str, Voxels]
    inside: Voxels


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, draw, write."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0].startswith("-"):
        print("error: the first word is the name of a pipeline", file=sys.stderr)
        return 1
    evaluation: Evaluation = import_module(f"trainers.evaluation.{words[0]}").EVALUATION
    parser = parser_of(evaluation)
    parser.add_argument("--cases", nargs="+", metavar="CASE", help="names (default: the first)")
    parser.add_argument("--served", metavar="NAME", help="shows what is served, by this name")
    options = parser.parse_args(words[1:])
    return exit_code(lambda: draw(list(shown(evaluation, options)), evaluation.view, options.out))


def shown(evaluation: Evaluation, options: argparse.Namespace) -> Iterator[Shown]:
    """The cases that are asked for, each in its most telling slice.

    Raises:
        EvaluationError: no case has such a name.
    """
    methods = dict(chosen(evaluation.methods(options), options.methods))
    served = methods.pop(OURS)
    if options.served:
        methods[options.served] = served
    wanted, found = options.cases, 0
    for _, place in map(split_and_place, options.data):
        for case in evaluation.cases(place, options):
            if wanted and case.name not in wanted and case.patient not in wanted:
                continue
            found += 1
            made = {name: method(case) for name, method in methods.items()}
            yield slice_of(case, made)
            if found == len(wanted or [case]):
                return
    if not found:
        raise EvaluationError(f"No case is called {' or '.join(wanted or ['anything'])}.")


def slice_of(case: Case, made: Mapping[str, Voxels]) -> Shown:
    """The slice with most of the lesions, else of the whole."""
    inside = case.masks[case.whole].inside(case.truth.voxels)
    source = next(iter(case.inputs.values())).voxels
    marked = [mask for _, mask, kind in regions(case) if kind == "lesion"]
    counts = sum((mask.inside(source).sum((1, 2)) for mask in marked), np.zeros(len(source)))
    index = int(np.argmax(counts if marked else inside.sum((1, 2))))
    return Shown(
        case.name,
        source[index],
        case.truth.voxels[index],
        {name: voxels[index] for name, voxels in made.items()},
        inside[index],
    )


def draw(rows: Sequence[Shown], view: View, out: Path) -> None:
    """Write the picture.

    Args:
        rows: the cases.
        view: windows and colours.
        out: a PNG file.
    """
    columns = 2 + len(rows[0].made)
    tall = [one.truth.shape[0] / one.truth.shape[1] for one in rows for _ in range(2)]
    size = (INCHES * columns, INCHES * sum(tall) + 0.3)
    figure, axes = pyplot.subplots(
        2 * len(rows), columns, figsize=size, squeeze=False, gridspec_kw={"height_ratios": tall}
    )
    for place, one in enumerate(rows):
        _images(axes[2 * place], one, view, titled=place == 0)
        _differences(axes[2 * place + 1], one, view)
    for axis in axes.flat:
        axis.set_axis_off()
    figure.subplots_adjust(0.01, 0.01, 0.99, 1 - 0.25 / size[1], 0.03, 0.03)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=DOTS)
    pyplot.close(figure)


def _images(axes: Sequence[Axes], one: Shown, view: View, *, titled: bool) -> None:
    low, high = next(iter(view.inputs.values()), tuple(np.percentile(one.source, (1, 99.5))))
    axes[0].imshow(one.source, cmap="gray", vmin=low, vmax=high)
    images = {"truth": one.truth, **one.made}
    for axis, image in zip(axes[1:], images.values(), strict=True):
        axis.imshow(image, cmap=view.colours, vmin=view.low, vmax=view.high)
    if titled:
        for axis, title in zip(axes, ("input", *images), strict=True):
            axis.set_title(title, fontsize=7)


def _differences(axes: Sequence[Axes], one: Shown, view: View) -> None:
    for axis, image in zip(axes[2:], one.made.values(), strict=True):
        difference = np.where(one.inside, image - one.truth, 0)
        axis.imshow(difference, cmap=COLOURS, vmin=-view.difference, vmax=view.difference)


if __name__ == "__main__":
    raise SystemExit(main())
