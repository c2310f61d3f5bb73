"""What can go wrong in a training run.

The tree:

    TrainingError
    ├── SettingsError      a knob has a value that cannot be used here
    ├── SourceError        a source is of no kind that we know, is not there, or holds nothing
    ├── StepError          an optimiser step was not given what it was opened for
    └── CheckpointError    a checkpoint is missing, or is of another run
"""

from __future__ import annotations

from trainers.errors import TrainersError


class TrainingError(TrainersError):
    """A training run cannot go on."""


class SettingsError(TrainingError):
    """A knob has a value that cannot be used here."""


class SourceError(TrainingError):
    """A source is of no kind that we know, is not there, or holds nothing."""


class StepError(TrainingError):
    """An optimiser step was not given what it was opened for."""


class CheckpointError(TrainingError):
    """A checkpoint is missing, or is of another run."""
