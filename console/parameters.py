"""Query parameters: what a route takes, and reading it with an error that says what was wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from console.errors import BadRequestError

_MAX_LENGTH = 200


class Kind(StrEnum):
    """How the text of a parameter is read."""

    TEXT = "text"
    INTEGER = "integer"
    TIME = "time"
    STEP = "step"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a route."""

    name: str
    note: str
    kind: Kind = Kind.TEXT
    in_path: bool = False
    required: bool = False
    choices: tuple[str, ...] = ()
    many: bool = False
    """Whether several choices may be given, with commas."""
    low: int = 0
    high: int = 0
    default: int = 0
    """Of an integer."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a caller gave, checked against the route's parameters."""

    texts: Mapping[str, str] = field(default_factory=dict)
    integers: Mapping[str, int] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        """A text, or None if it was not given."""
        return self.texts.get(name)

    def given(self, name: str) -> str:
        """A text that was required, or part of the path."""
        return self.texts[name]

    def integer(self, name: str) -> int:
        """An integer, or its default."""
        return self.integers[name]

    def several(self, name: str) -> tuple[str, ...]:
        """The choices given, with commas; empty if none were."""
        return tuple(part for part in self.texts.get(name, "").split(",") if part)


def read_arguments(
    parameters: tuple[Parameter, ...], query: Sequence[tuple[str, str]], path: Mapping[str, str]
) -> Arguments:
    """Check and read what a caller gave.

    Raises:
        BadRequestError: a parameter is unknown, missing, repeated, or has no such value.
    """
    known = {parameter.name: parameter for parameter in parameters if not parameter.in_path}
    values = dict(query)
    for name in values:
        if name not in known:
            takes = ", ".join(known) or "no parameters"
            raise BadRequestError(
                "unknown_parameter", f"unknown parameter {name[:50]!r}", f"it takes: {takes}"
            )
    if len(values) < len(query):
        raise BadRequestError("repeated_parameter", "a parameter is given more than once", "give each once")
    texts = dict(path)
    integers = {p.name: p.default for p in parameters if p.kind is Kind.INTEGER}
    for name, parameter in known.items():
        given = values.get(name, "")
        if not given:
            if parameter.required:
                raise BadRequestError("missing_parameter", f"{name} is missing", f"{name}: {parameter.note}")
        elif parameter.kind is Kind.INTEGER:
            integers[name] = _integer(parameter, given)
        else:
            texts[name] = _text(parameter, given)
    return Arguments(texts, integers)


def _text(parameter: Parameter, given: str) -> str:
    if len(given) > _MAX_LENGTH:
        raise _bad(parameter, given[:20] + "…", f"give at most {_MAX_LENGTH} characters")
    if parameter.choices:
        for part in given.split(",") if parameter.many else [given]:
            if part not in parameter.choices:
                raise _bad(parameter, part, f"give one of: {', '.join(parameter.choices)}")
    return given


def _integer(parameter: Parameter, given: str) -> int:
    value = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else None  # noqa: PLR2004
    if value is None or not parameter.low <= value <= parameter.high:
        raise _bad(parameter, given[:20], f"give a whole number from {parameter.low} to {parameter.high}")
    return value


def _bad(parameter: Parameter, given: str, mend: str) -> BadRequestError:
    return BadRequestError("bad_parameter", f"{parameter.name} can't be {given!r}", mend)
