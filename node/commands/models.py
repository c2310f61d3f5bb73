"""`vscanner models`: the model cards, and whether the weights are those that the cards name."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from dicom_profiles.errors import ProfileError
from node.errors import CommandError
from node.installed import verify
from pipelines import catalog
from pipelines.card_page import card_page, cards_page
from pipelines.errors import CardError, IncompletePipeline, WeightsError

EXAMPLE = """\
examples:
  vscanner models                       the models that are installed
  vscanner models show ldct_denoise     what a model is for, and how well it did
  vscanner models verify                are they whole, their weights those of the cards?
  vscanner models show --markdown       all cards as one page; docs/model_cards.md is made so
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        "models",
        help="list, show or verify the models",
        description="The models that this node has: their cards and the digests of their weights.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "action", nargs="?", default="list", choices=["list", "show", "verify"], help="what to do"
    )
    parser.add_argument("name", nargs="?", help="the model; for show, and to verify only one")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--markdown", action="store_true", help="show: print Markdown")


def run(arguments: argparse.Namespace) -> int:
    """Show or verify models; 1 when weights are wrong."""
    if arguments.markdown and arguments.action != "show":
        raise CommandError("--markdown belongs to show: vscanner models show --markdown.")
    names = [arguments.name] if arguments.name else list(catalog.names())
    if arguments.action == "show":
        if arguments.markdown:
            print(cards_page([catalog.card(name) for name in names]), end="")
            return 0
        if arguments.name is None:
            raise CommandError("Name the model to show; `vscanner models` lists them.")
        _print_card(arguments.name, as_json=arguments.json)
        return 0
    if arguments.action == "verify":
        return _print_digests(names, as_json=arguments.json)
    _print_list(names, as_json=arguments.json)
    return 0


def _print_list(names: Sequence[str], *, as_json: bool) -> None:
    cards = [catalog.card(name) for name in names]
    if as_json:
        print(json.dumps([card.model_dump(mode="json") for card in cards], indent=2))
        return
    table = Table("name", "version", "in", "out", "trained on simulation")
    for card in cards:
        simulated = "yes" if card.training.trained_on_simulation else "no"
        table.add_row(card.name, card.version, ", ".join(card.inputs), card.output, simulated)
    Console().print(table)


def _print_card(name: str, *, as_json: bool) -> None:
    card = catalog.card(name)
    if as_json:
        print(json.dumps(card.model_dump(mode="json"), indent=2))
    else:
        Console().print(Markdown(card_page(card)))


def _print_digests(names: Sequence[str], *, as_json: bool) -> int:
    """One line for each model; 1 when one is wrong."""
    results = {name: _verified(name) for name in names}
    if as_json:
        lines = [
            {"name": name, "sha256": digest, "ok": not wrong, "reason": wrong}
            for name, (digest, wrong) in results.items()
        ]
        print(json.dumps(lines, indent=2))
    else:
        for name, (digest, wrong) in results.items():
            print(f"{name}: {wrong or 'OK ' + digest}")
    return int(any(wrong for _, wrong in results.values()))


def _verified(name: str) -> tuple[str, str]:
    """The digest of its weights, or what is wrong."""
    try:
        return verify(name), ""
    except (CardError, IncompletePipeline, WeightsError, ProfileError) as error:
        return "", str(error)
