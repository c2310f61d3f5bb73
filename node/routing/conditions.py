"""Conditions of the routing rules, over the headers of every instance of a stack.

    Modality: CT                                 equal, in every instance
    BodyPartExamined: [CHEST, THORAX]            one of these
    SeriesDescription: {matches: "(?i)low.?dose"}   a regular expression, found anywhere
    SliceThickness: {range: [0.5, 3]}            a number, ends included; also at_least, at_most
    CTDIvol: {present: true}                     there, and not empty
    ImageType: {not: DERIVED}                    the contrary, in every instance
    ContrastBolusAgent: {any: {present: true}}   in at least one instance; `all` is the default
    RadiopharmaceuticalInformationSequence.RadionuclideTotalDose: {at_least: 1}   inside a sequence
    "(0019,1002)": 5                             a private element by its tag
    source_ae: CT_SCANNER                        who sent it
    instances: {at_least: 20}                    how many images

Of an attribute with several values, any one may hold. Everything here is pure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

import regex
from pydicom import Dataset
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_dict, tag_for_keyword
from pydicom.multival import MultiValue

PSEUDO_KEYWORDS = ("source_ae", "instances")
OPERATORS = ("matches", "range", "at_least", "at_most", "present", "not", "any", "all")
SHOWN_VALUES = 3
PATIENT_GROUPS = (0x0010, 0x0038)
"""Groups of PS3.6 about the patient and the visit."""
PRIVATE_TAG = re.compile(r"\(([0-9A-Fa-f]{4}),([0-9A-Fa-f]{4})\)")

MATCH_S = 1.0
"""A regular expression that takes longer for one text would take for ever: `(a+)+$`, say."""

GAVE_UP = f"not decided within {MATCH_S:g} s: simplify the expression"

Values = tuple[Any, ...]
"""The values of one attribute in one instance; none when absent or empty."""

InstanceTest = Callable[[Values], bool]
StackTest = Callable[[Sequence[Values]], bool]


class ConditionError(ValueError):
    """A condition cannot be understood: what was wanted, what came."""


@dataclass(frozen=True)
class Finding:
    """One condition held against a stack.

    Attributes:
        keyword: the attribute.
        wanted: the condition in words.
        found: the values, with how many instances have them.
        holds: whether the condition is met.
    """

    keyword: str
    wanted: str
    found: str
    holds: bool

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Condition:
    """One line of a rule's `when`, understood.

    Attributes:
        keyword: as written in the rule.
        wanted: the condition in words.
        negative: it says what a series is not.
    """

    keyword: str
    wanted: str
    negative: bool
    _test: StackTest

    def evaluate(self, headers: Sequence[Dataset], source_ae: str) -> Finding:
        """Hold the condition against every header."""
        if self.keyword == "source_ae":
            found: list[Values] = [(source_ae,) if source_ae else ()]
        elif self.keyword == "instances":
            found = [(len(headers),)]
        else:
            found = [values_of(header, self.keyword) for header in headers]
        summary = summarise(found, hide=is_patient_attribute(self.keyword))
        try:
            holds = bool(found) and self._test(found)
        except TimeoutError:  # as a whole: what is `not` to hold is not known either
            return Finding(self.keyword, f"{self.wanted} ({GAVE_UP})", summary, holds=False)
        return Finding(self.keyword, self.wanted, summary, holds)


def parse_conditions(when: Mapping[str, Any]) -> tuple[Condition, ...]:
    """Understand a rule's `when`.

    Raises:
        ConditionError: the first fault; its text begins with the keyword.
    """
    return tuple(parse_condition(keyword, wanted) for keyword, wanted in when.items())


def parse_condition(keyword: str, wanted: Any) -> Condition:
    """Understand one condition.

    Raises:
        ConditionError: an unknown keyword or operator, a regular expression that does not
            compile, a range without two numbers.
    """
    check_keyword(keyword)
    try:
        test, words = _stack_test(wanted)
    except ConditionError as error:
        raise ConditionError(f"{keyword}: {error}") from error
    negative = isinstance(wanted, Mapping) and ("not" in wanted or wanted.get("present") is False)
    return Condition(keyword, words, negative, test)


def check_keyword(keyword: str) -> None:
    """Refuse what is neither a DICOM keyword path, nor a private tag, nor a word of ours.

    Raises:
        ConditionError: with the nearest valid keyword.
    """
    if keyword in PSEUDO_KEYWORDS or PRIVATE_TAG.fullmatch(keyword):
        return
    *parents, last = keyword.split(".")
    for part in (*parents, last):
        if tag_for_keyword(part) is None:
            near = get_close_matches(part, [*keyword_dict, *PSEUDO_KEYWORDS], n=1)
            hint = f"; did you mean {near[0]}?" if near else "; use the keywords of PS3.6."
            raise ConditionError(f"{part} is not a DICOM keyword{hint}")
    for part in parents:
        if dictionary_VR(part) != "SQ":
            raise ConditionError(f"{part} in {keyword} is not a sequence, so nothing is inside it.")


def is_patient_attribute(keyword: str) -> bool:
    """Whether values of this attribute name a person or a visit, and are not repeated anywhere."""
    by_number = PRIVATE_TAG.fullmatch(keyword)  # the way to private elements takes any tag
    last = keyword.split(".")[-1]
    tag = int(by_number[1] + by_number[2], 16) if by_number else tag_for_keyword(last)
    if tag is None:
        return False
    names = dictionary_has_tag(tag) and dictionary_VR(tag) in ("PN", "SQ")  # items may name one
    return names or tag >> 16 in PATIENT_GROUPS


def values_of(header: Dataset, keyword: str) -> Values:
    """All values of an attribute, those in all items of its sequences included."""
    private = PRIVATE_TAG.fullmatch(keyword)
    if private:
        tag = int(private[1] + private[2], 16)
        return _flat(header[tag].value) if tag in header else ()
    first, _, rest = keyword.partition(".")
    value = header.get(first)
    if not rest:
        return _flat(value)
    return tuple(found for item in value or () for found in values_of(item, rest))


def _flat(value: Any) -> Values:
    if value is None or value == "":
        return ()
    if isinstance(value, bytes):
        return (value.decode("ascii", "replace").strip(" \0"),)
    if isinstance(value, MultiValue | list | tuple):
        return tuple(part for part in value if part not in (None, ""))
    return (value,)


def summarise(found: Sequence[Values], *, hide: bool = False) -> str:
    """The values and how many instances have them, such as `CT (12 of 12)`."""
    if not found:
        return "no images"
    shown = Counter(_shown(values, hide) for values in found)
    parts = [f"{text} ({count} of {len(found)})" for text, count in shown.most_common(SHOWN_VALUES)]
    others = len(shown) - SHOWN_VALUES
    return ", ".join(parts) + (f" and {others} other values" if others > 0 else "")


def _shown(values: Values, hide: bool) -> str:
    if not values:
        return "absent"
    if hide:
        return "present"
    text = "\\".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)
    return text if len(text) <= 64 else text[:61] + "..."


# What a condition may be: each parser gives the test and the condition in words.


def _stack_test(wanted: Any) -> tuple[StackTest, str]:
    if isinstance(wanted, Mapping):
        _check_operators(wanted)
        if "any" in wanted or "all" in wanted:
            return _quantified(wanted)
        inner = wanted.get("not")
        if len(wanted) == 1 and isinstance(inner, Mapping) and {"any", "all"} & set(inner):
            test, words = _stack_test(inner)
            return (lambda found: not test(found)), f"not: {words}"
    instance, words = _instance_test(wanted)
    return (lambda found: all(instance(values) for values in found)), words


def _quantified(wanted: Mapping[str, Any]) -> tuple[StackTest, str]:
    if len(wanted) != 1:
        raise ConditionError(f"'any' and 'all' stand alone, got {_keys(wanted)}.")
    (quantifier, inner), *_ = wanted.items()
    instance, words = _instance_test(inner)
    if quantifier == "any":
        return (lambda found: any(instance(values) for values in found)), f"any image: {words}"
    return (lambda found: all(instance(values) for values in found)), words


def _instance_test(wanted: Any) -> tuple[InstanceTest, str]:
    if isinstance(wanted, Mapping):
        _check_operators(wanted)
        parsed = [_operator(operator, value) for operator, value in wanted.items()]
        tests = [test for test, _ in parsed]
        words = " and ".join(text for _, text in parsed)
        return (lambda values: all(test(values) for test in tests)), words
    if isinstance(wanted, list | tuple):
        if not wanted:
            raise ConditionError("a list of values is wanted, got an empty one.")
        words = "one of " + ", ".join(map(str, wanted))
        return (lambda values: any(_same(v, w) for v in values for w in wanted)), words
    if wanted is None:
        raise ConditionError("a value is wanted, got nothing; {present: false} asks for absence.")
    return (lambda values: any(_same(value, wanted) for value in values)), str(wanted)


def _check_operators(wanted: Mapping[str, Any]) -> None:
    for operator in wanted:
        if operator not in OPERATORS:
            near = get_close_matches(str(operator), OPERATORS, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConditionError(f"one of {', '.join(OPERATORS)} is wanted, got {operator!r}{hint}")
    if not wanted:
        raise ConditionError("a value or an operator is wanted, got an empty mapping.")


def _keys(wanted: Mapping[str, Any]) -> str:
    return ", ".join(map(str, wanted))


def _operator(operator: str, value: Any) -> tuple[InstanceTest, str]:
    if operator in ("any", "all"):
        raise ConditionError(f"{operator!r} must be outermost.")
    return OPERATOR_PARSERS[operator](value)


def _matches(value: Any) -> tuple[InstanceTest, str]:
    try:
        pattern = regex.compile(str(value))
    except regex.error as error:
        raise ConditionError(f"a regular expression is wanted, got {value!r} ({error}).") from error

    def test(values: Values) -> bool:
        texts = [*map(str, values), "\\".join(map(str, values))]
        return bool(values) and any(pattern.search(text, timeout=MATCH_S) for text in texts)

    return test, f"matches {value}"


def _range(value: Any) -> tuple[InstanceTest, str]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ConditionError(f"range takes two numbers [smallest, largest], got {value!r}.")
    low, high = _number(value[0]), _number(value[1])
    if low > high:
        raise ConditionError(f"range takes [smallest, largest], got {value!r}.")
    return _between(low, high), f"{low:g} to {high:g}"


def _at_least(value: Any) -> tuple[InstanceTest, str]:
    return _between(_number(value), float("inf")), f"at least {value}"


def _at_most(value: Any) -> tuple[InstanceTest, str]:
    return _between(float("-inf"), _number(value)), f"at most {value}"


def _present(value: Any) -> tuple[InstanceTest, str]:
    if not isinstance(value, bool):
        raise ConditionError(f"present takes true or false, got {value!r}.")
    return (lambda values: bool(values) is value), "present" if value else "absent"


def _not(value: Any) -> tuple[InstanceTest, str]:
    test, words = _instance_test(value)
    return (lambda values: not test(values)), f"not: {words}"


OPERATOR_PARSERS: Mapping[str, Callable[[Any], tuple[InstanceTest, str]]] = {
    "matches": _matches,
    "range": _range,
    "at_least": _at_least,
    "at_most": _at_most,
    "present": _present,
    "not": _not,
}


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConditionError(f"a number is wanted, got {value!r}.")
    return float(value)


def _as_number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _between(low: float, high: float) -> InstanceTest:
    def test(values: Values) -> bool:
        numbers = [number for number in map(_as_number, values) if number is not None]
        return any(low <= number <= high for number in numbers)

    return test


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, int | float) or isinstance(value, int | float):
        number, other = _as_number(value), _as_number(wanted)
        if number is not None and other is not None:
            return number == other
    return str(value).strip() == str(wanted).strip()
