"""`vscanner`: picks the command and turns every error into one sentence and an exit code.

Each command is one module of `node.commands` with `add_parser(subparsers)` and
`run(arguments) -> int`. Only the module of the chosen command is imported, so that
`vscanner --help` is quick and nothing but a worker loads torch.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import NoReturn

from dicom_profiles.errors import ProfileError
from node.errors import NodeError
from pipelines.errors import PipelineError

log = logging.getLogger(__name__)

COMMANDS = (
    ("serve", "all roles on this machine"),
    ("receive", "only receive: DICOM in, series assembled, jobs made"),
    ("work", "only work: jobs done, results sent"),
    ("web", "only the status page"),
    ("process", "translate a folder of DICOM files, without a network"),
    ("explain", "which series of a folder would go where, and why not"),
    ("check", "test configuration, destinations, database, disk and weights"),
    ("jobs", "list, show, retry or cancel jobs"),
    ("models", "list, show or verify the models"),
    ("recall", "every series that a model version made"),
    ("conformance", "the DICOM conformance statement of this configuration"),
    ("train", "train a model"),
    ("evaluate", "measure a model"),
    ("reading", "blind reading: can readers tell real from synthetic?"),
)
"""Name and purpose of every command; the module is `node.commands.<name>`."""

NOT_FOR_OTHERS = 0o007
"""File mode bits that no file of ours has: images are for this user and its group."""

WRONG_USE = 2
FAILED = 1
INTERRUPTED = 130

EXAMPLE = """\
examples:
  vscanner explain ~/study                      would anything be translated, and why (not)?
  vscanner process ~/study ~/out                translate a folder, no network needed
  vscanner check --config node.yaml             is this node ready to work?
  vscanner serve --config node.yaml             run the node

`vscanner COMMAND --help` explains a command. node.example.yaml shows every setting.
"""


class UnknownCommand(NodeError):  # noqa: N818 - says what is wrong
    """There is no such command."""


class OneSentenceParser(argparse.ArgumentParser):
    """An argument parser whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is, and exit."""
        self.exit(WRONG_USE, f"{self.prog}: {message}; see {self.prog} --help\n")


class Version(argparse.Action):
    """Says the version; looked up only where it is asked for, so that other commands begin soon."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Say it, and exit."""
        from dicom_profiles.equipment import SOFTWARE_VERSION

        sys.stdout.write(f"{SOFTWARE_VERSION}\n")
        parser.exit()


def build_parser(command: str | None) -> argparse.ArgumentParser:
    """The parser: with the whole of one command, or with the list of all."""
    parser = OneSentenceParser(
        prog="vscanner",
        description="A DICOM node that behaves like a scanner which needs no patient.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--traceback", action="store_true", help="show where in the program an error arose"
    )
    parser.add_argument("--version", action=Version, nargs=0, help="say which version this is")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    if command is None:
        for name, purpose in COMMANDS:
            subparsers.add_parser(name, help=purpose)
    else:
        import_module(f"node.commands.{command}").add_parser(subparsers)
    return parser


def chosen_command(arguments: Sequence[str]) -> str | None:
    """The command among the arguments, or None where help is to be shown.

    Raises:
        UnknownCommand: there is no such command; the message names the nearest one.
    """
    word = next((word for word in arguments if not word.startswith("-")), None)
    names = [name for name, _ in COMMANDS]
    if word is None or word in names:
        return word
    near = get_close_matches(word, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}."
    raise UnknownCommand(f"There is no command {word!r}; {hint}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0 done, 1 failed, 2 wrong use."""
    given = list(sys.argv[1:] if argv is None else argv)
    # pydicom's warnings quote values, which may be a patient's; what matters we say ourselves.
    warnings.filterwarnings("ignore", module="pydicom")
    os.umask(os.umask(NOT_FOR_OTHERS) | NOT_FOR_OTHERS)
    traceback = "--traceback" in given
    try:
        command = chosen_command(given)
        parser = build_parser(command)
        if command is None:
            parser.parse_args(given)
            parser.print_help()
            return WRONG_USE
        arguments = parser.parse_args(given)
        code: int = import_module(f"node.commands.{command}").run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `vscanner jobs | head`: the reader has gone, nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except UnknownCommand as error:
        return _report(str(error), traceback, WRONG_USE)
    except (NodeError, ProfileError, PipelineError) as error:
        return _report(str(error), traceback)
    except Exception as error:  # noqa: BLE001 - boundary: main; a person gets one sentence
        sentence = " ".join(str(error).split())
        return _report(f"{type(error).__name__}: {sentence} (--traceback shows where)", traceback)
    return code


def _report(sentence: str, traceback: bool, code: int = FAILED) -> int:
    if traceback:
        log.exception("the command failed", extra={"action": "command_failed"})
    sys.stderr.write(f"vscanner: {sentence}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
