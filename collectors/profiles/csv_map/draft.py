"""A profile on its way from a map to YAML, and the writer: one point a line, as the shipped profiles are."""

import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


class Hex(int):
    """A number that is written in hexadecimal."""


Value = str | int | float | bool | Hex | list["Value"] | dict["str | int", "Value"]
Entry = dict[str, Value]
"""One mapping of the file, keys in the order they are written."""

_PLAIN = re.compile(r"[A-Za-z°µ][A-Za-z0-9_°µ³/ .+()-]*")
_NOT_PLAIN = re.compile(
    r"^(?:true|false|yes|no|on|off|null|none|y|n|nan|inf|\.inf)$|: |\s$|[ .]$|^\d", re.IGNORECASE
)
_WIDTH = 110


@dataclass(slots=True, kw_only=True)
class Draft:
    """A profile as it will be written."""

    head: Entry
    points: list[Entry] = field(default_factory=list)
    helpers: list[Entry] = field(default_factory=list)
    texts: list[Entry] = field(default_factory=list)
    identity: list[Entry] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    """Line of the map each point, helper and text is from, by name."""


def render(draft: Draft) -> str:
    """The profile as YAML."""
    lines: list[str] = []
    for key, value in draft.head.items():
        if isinstance(value, str) and len(value) > _WIDTH - len(key) - 4:
            lines.append(f"{key}: >-")
            lines.extend(
                textwrap.wrap(
                    value, _WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
                )
            )
        else:
            lines.append(f"{key}: {_written(value)}")
    if draft.identity:
        # Read off a comment, they would silence a device when they are wrong: a person puts them into force.
        lines.append("# identity:")
        lines.extend(f"#   - {_written(entry)}" for entry in draft.identity)
    for title in ("texts", "points", "helpers"):
        entries: list[Entry] = getattr(draft, title)
        if entries:
            lines.append(f"{title}:")
            lines.extend(f"  - {_written(entry)}" for entry in entries)
    return "\n".join(lines) + "\n"


def number(value: float) -> int | float:
    """A number without a decimal point where it needs none."""
    return int(value) if value == int(value) and abs(value) < 1e15 else value  # noqa: PLR2004


def _written(value: Value | Mapping[str, Value]) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_written(each) for each in value)}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(_pairs(value)) + "}"
    return _scalar(value)


def _scalar(value: str | float) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Hex):
        return f"0x{int(value):X}"
    if isinstance(value, str):
        return _text(value)
    return _float(value) if isinstance(value, float) else str(value)


def _pairs(value: Mapping["str | int", Value] | Mapping[str, Value]) -> Iterator[str]:
    for key, each in value.items():
        yield f"{key}: {_written(each)}"


def _float(value: float) -> str:
    """A float that YAML reads as one: an exponent needs a point before it."""
    short = repr(value)
    if "e" in short and "." not in short:
        short = short.replace("e", ".0e")
    return short


def _text(value: str) -> str:
    if _PLAIN.fullmatch(value) and not _NOT_PLAIN.search(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ").replace("\t", " ")
    return f'"{escaped}"'
