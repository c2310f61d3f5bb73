from __future__ import annotations

import argparse
from dataclasses import dataclass, fields

import pytest

from tests.trainers.training.toy import Settings
from trainers.training.errors import SettingsError
from trainers.training.settings import RunSettings, add_options, knob, settings_from


def parsed(*words: str) -> Settings:
    parser = argparse.ArgumentParser()
    add_options(parser, Settings)
    return settings_from(parser.parse_args(words), Settings)


def test_every_knob_is_an_option_with_its_meaning() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser, Settings)
    shown = parser.format_help()
    for one in fields(Settings):
        assert f"--{one.name.replace('_', '-')}" in shown
        assert one.metadata["meaning"]
    assert "(default 0.05)" in shown


def test_options_become_settings_of_the_right_kind() -> None:
    assert parsed() == Settings()
    given = parsed("--steps", "7", "--rate", "0.5", "--deterministic", "--save-every", "2")
    assert given == Settings(steps=7, rate=0.5, deterministic=True, save_every=2)
    assert parsed("--no-deterministic").deterministic is False


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("--batch", "0"), "--batch takes 1 or more"),
        (("--patience", "-1"), "--patience takes 0 or more"),
        (("--average", "1"), "--average takes"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused(words: tuple[str, ...], wanted: str) -> None:
    with pytest.raises(SettingsError, match=wanted):
        parsed(*words)


def test_a_knob_without_a_default_is_refused() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Wrong(RunSettings):
        width: int

    with pytest.raises(SettingsError, match="width"):
        add_options(argparse.ArgumentParser(), Wrong)
    assert knob(3, "three")
