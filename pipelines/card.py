"""ModelCard: what a model is for, what it may be given, and how well it did."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipelines.errors import CardError, ParameterError

SHA256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 digest in lower-case hexadecimal digits."""


class CardPart(BaseModel):
    """Base of all parts of a card: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Range(CardPart):
    """A closed interval of numbers."""

    minimum: float
    maximum: float

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum:g} is above maximum {self.maximum:g}")
        return self

    def holds(self, value: float) -> bool:
        """Whether the value lies in the interval, its ends included."""
        return self.minimum <= value <= self.maximum

    def __str__(self) -> str:
        return f"{self.minimum:g} to {self.maximum:g}"


class Scope(CardPart):
    """What headers an input may have; the gate holds a series against it.

    What is not named is not checked.
    """

    modality: str = Field(description="Modality (0008,0060)")
    sop_classes: tuple[str, ...] = Field(description="SOP class UIDs")
    slices: Range | None = Field(None, description="number of slices")
    rows_columns: Range | None = Field(None, description="Rows and Columns, both")
    pixel_spacing_mm: Range | None = Field(None, description="Pixel Spacing, both")
    imager_pixel_spacing_mm: Range | None = Field(
        None, description="Imager Pixel Spacing (0018,1164) of a projection, both"
    )
    slice_spacing_mm: Range | None = Field(None, description="distance between slice positions")
    slice_thickness_mm: Range | None = Field(None, description="Slice Thickness")
    extent_mm: Range | None = Field(None, description="length of the stack along its slices")
    kvp: Range | None = Field(None, description="KVP, where it is given")
    magnetic_field_t: Range | None = Field(
        None, description="Magnetic Field Strength (0018,0087), where it is given"
    )
    largest_tilt_degrees: float | None = Field(
        None, description="largest angle of the slices, stacked straight, to the axial plane"
    )
    refused_body_parts: tuple[str, ...] = Field((), description="Body Part Examined refused")
    image_types_refused: tuple[str, ...] = Field(
        (), description="values of Image Type (0008,0008) that are refused"
    )
    refused_kernels: str = Field("", description="regular expression over Convolution Kernel")
    lossy_allowed: bool = Field(False, description="whether lossy compression is accepted")
    contrast: str = Field("", description="what is known about contrast media, for people")


class InputCard(CardPart):
    """One input of a pipeline."""

    unit: str = Field(description="unit of the voxels")
    description: str = Field(description="what it is, for people")
    scope: Scope


class ParameterCard(CardPart):
    """One parameter that a route or a researcher may set."""

    description: str
    default: float
    range: Range

    @model_validator(mode="after")
    def _default_in_range(self) -> ParameterCard:
        if not self.range.holds(self.default):
            raise ValueError(f"default {self.default:g} is not in {self.range}")
        return self

    def checked(self, name: str, value: object) -> float:
        """The value as a number, or a `ParameterError` that says what was wanted."""
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not self.range.holds(float(value)):  # type: ignore[arg-type]
            raise ParameterError(
                f"Parameter {name!r} takes a number from {self.range}, got {value!r}."
            )
        return float(value)  # type: ignore[arg-type]


class Weights(CardPart):
    """The file of the weights, pinned by its digest."""

    file: str
    sha256: SHA256


class Dataset(CardPart):
    """Data on which a model was trained or evaluated."""

    name: str
    licence: str
    citation: str
    used_for: str


class Figure(CardPart):
    """One measured figure: what, on what, of the output and of what it is compared with."""

    measure: str
    data: str
    compared_with: str = Field("input", description="the input, or the best trivial baseline")
    input: float = Field(description="figure of what it is compared with")
    output: float
    unit: str


class Training(CardPart):
    """How the weights came to be."""

    trainer: str
    trained_on: tuple[Dataset, ...]
    trained_on_simulation: bool
    networks_of_real_pairs: tuple[str, ...] = Field(
        (), description="networks that saw no simulation, as quality records name them"
    )
    simulation: str

    def on_simulation(self, network: str | None) -> bool:
        """Whether what this network makes has to say that simulated pairs taught it.

        Args:
            network: `model.network` of the quality record; None where a model has only one.
        """
        return self.trained_on_simulation and network not in self.networks_of_real_pairs


class ModelCard(CardPart):
    """Everything that the node, a site and a reader must know about one model."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    title: str
    summary: str
    intended_use: str
    output: str
    output_unit: str
    inputs: Mapping[str, InputCard]
    input_sets: tuple[tuple[str, ...], ...] = Field(
        (), description="sets of inputs that are enough, the preferred first; () means all inputs"
    )
    parameters: Mapping[str, ParameterCard]
    measurements: Mapping[str, str] = Field(
        {}, description="what is measured on each series, by its name in the quality record"
    )
    weights: Weights
    training: Training
    evaluation: tuple[Figure, ...]
    limitations: tuple[str, ...]
    licence: str

    @model_validator(mode="after")
    def _sets_of_known_inputs(self) -> ModelCard:
        for keys in self.input_sets:
            unknown = sorted(set(keys) - set(self.inputs))
            if unknown or not keys:
                raise ValueError(f"input set {keys} should hold keys of {sorted(self.inputs)}")
        return self

    @property
    def label(self) -> str:
        """Name and version in one word."""
        return f"{self.name}@{self.version}"

    @property
    def accepted_sets(self) -> tuple[tuple[str, ...], ...]:
        """Sets of input keys that are enough, the preferred first.

        The first key of a set is the input on whose grid the output lies.
        """
        return self.input_sets or (tuple(self.inputs),)

    def identity(self, calibration_sha256: str) -> dict[str, str]:
        """What exactly made an image, for its quality record."""
        return {
            "name": self.name,
            "version": self.version,
            "weights_sha256": self.weights.sha256,
            "calibration_sha256": calibration_sha256,
        }

    def parameters_from(self, given: Mapping[str, object] | None) -> dict[str, float]:
        """Every parameter with its value: the given one, else the default.

        Raises:
            ParameterError: an unknown name, or a value out of its range.
        """
        given = given or {}
        unknown = sorted(set(given) - set(self.parameters))
        if unknown:
            known = ", ".join(self.parameters) or "none"
            raise ParameterError(f"{self.name} has no parameter {unknown[0]!r}; it has: {known}.")
        return {
            name: card.checked(name, given.get(name, card.default))
            for name, card in self.parameters.items()
        }


def read_card(path: Path) -> ModelCard:
    """Read and validate one `card.yaml`.

    Raises:
        CardError: not YAML, or a key missing, unknown or of the wrong kind.
    """
    try:
        return ModelCard.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise CardError(f"The model card {path.name} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise CardError(f"The model card {path} is not YAML: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the whole card"
        raise CardError(f"The model card {path} is wrong at {key}: {first['msg']}.") from error
