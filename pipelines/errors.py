"""What can go wrong in this package.

The tree:

    PipelineError
    ├── UnknownPipeline      no pipeline of that name
    ├── IncompletePipeline   a pipeline that lacks a part, or has one that cannot be imported
    ├── CardError            a model card that cannot be true
    ├── WeightsError         weights absent, or not those that the card names
    ├── ParameterError       a parameter unknown or out of its range
    ├── InputError           inputs that are missing, unknown or in the wrong unit
    │   └── NothingToTranslate   images of the right kind with nothing in them
    ├── EngineError          no engine can run the network on the device asked for
    │   └── NotForThisEngine     this one is not made for networks of that kind; another is
    └── RecordNotReady       the quality record was asked for before the last slice
"""

from __future__ import annotations


class PipelineError(ValueError):
    """The pipeline cannot do what was asked."""


class UnknownPipeline(PipelineError):  # noqa: N818 - says what it is
    """There is no pipeline of that name."""


class IncompletePipeline(PipelineError):  # noqa: N818 - says what it is
    """The pipeline's folder lacks a part that every pipeline has, in working order."""


class CardError(PipelineError):
    """The model card does not hold what a card must hold."""


class WeightsError(PipelineError):
    """The weights are absent, or their digest is not the one on the card."""


class ParameterError(PipelineError):
    """A parameter is unknown, of the wrong kind, or out of its range."""


class InputError(PipelineError):
    """The inputs are not those that the card asks for."""


class NothingToTranslate(InputError):  # noqa: N818 - says what it is
    """Images of the right kind with nothing in them: the gate, which sees headers, let them in."""


class EngineError(PipelineError):
    """No engine can run the network on that device."""


class NotForThisEngine(EngineError):  # noqa: N818 - says what it is
    """The engine is not made for networks of that kind; another is."""


class RecordNotReady(PipelineError):  # noqa: N818 - says what it is
    """The quality record exists only after the last slice was taken."""
