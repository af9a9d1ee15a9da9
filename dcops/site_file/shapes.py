"""From entries as written to typed items; what does not fit is noted, with line and mend."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dcops.site_file import fields
from dcops.site_file.entries import Entry
from dcops.site_file.items import Item
from dcops.site_file.meant_keys import key_hint, written_for
from dcops.site_file.problems import Findings

ItemT = TypeVar("ItemT", bound=Item)

_SECRET_WORDS = ("password", "passwd", "token", "secret", "api_key", "apikey", "credential")
_EXAMPLES = {"dcops": "1"}
_REFERENCES = ("_env", "_file")


def keys_of(model: type[Item]) -> frozenset[str]:
    """The keys an item of this shape may have."""
    return frozenset(info.alias or name for name, info in model.model_fields.items())


def required_keys(model: type[Item]) -> frozenset[str]:
    """The keys an item of this shape must have."""
    return frozenset(info.alias or name for name, info in model.model_fields.items() if info.is_required())


@dataclass(frozen=True, slots=True)
class Shaped(Generic[ItemT]):
    """What became of one entry."""

    item: ItemT | None
    """The item without the keys that do not fit; None if one of those must be there."""
    wrong: frozenset[str] = frozenset()
    """The keys that do not fit."""


def shape(model: type[ItemT], entry: Entry, what: str, findings: Findings) -> ItemT | None:
    """The item an entry describes; None, with every mistake in it noted, if it does not fit.

    Args:
        model: the shape.
        entry: what is written.
        what: how to call it in messages, for example ``device``.
        findings: takes the problems.
    """
    shaped = shape_in_part(model, entry, what, findings)
    return None if shaped.wrong else shaped.item


def shape_in_part(model: type[ItemT], entry: Entry, what: str, findings: Findings) -> Shaped[ItemT]:
    """As ``shape``, but what fits is kept, so that it can be checked further in the same run."""
    if entry.broken:
        return Shaped(None)
    try:
        return Shaped(model.model_validate(entry.values))
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    name, known = label(what, entry), keys_of(model)
    for detail in details:
        key = str(detail["loc"][0])
        if detail["type"] == "missing" and written_for(key, known, entry.values):
            continue  # it is there under another name, which is told
        findings.add(entry.at(key), f"{name}: {_message(key, detail, known, entry)}")
    wrong = frozenset(str(detail["loc"][0]) for detail in details)
    if wrong & required_keys(model):
        return Shaped(None, wrong)
    rest = {key: value for key, value in entry.values.items() if key not in wrong}
    return Shaped(model.model_validate(rest), wrong)


def label(what: str, entry: Entry) -> str:
    """``device b1-pdu-a``: how an item is called in messages."""
    name = entry.text("id") or entry.text("name")
    return f"{what} {name}" if name and name.isprintable() and len(name) <= fields.MAX_ID else what


def looks_secret(key: str) -> bool:
    """Whether the value under this key would be a secret."""
    low = key.lower()
    return any(word in low for word in _SECRET_WORDS) and not low.endswith(_REFERENCES)


def _message(key: str, detail: ErrorDetails, known: frozenset[str], entry: Entry) -> str:
    if detail["type"] == "missing":
        return f"{key} is missing; add '{key}: {_EXAMPLES.get(key, '…')}'"
    if detail["type"] == "extra_forbidden":
        return _unknown(key, known, entry)
    error = detail.get("ctx", {}).get("error")
    return f"{key}: {error or detail['msg']}"


def _unknown(key: str, known: frozenset[str], entry: Entry) -> str:
    if looks_secret(key):
        references = sorted(each for each in known if each.endswith(_REFERENCES))
        mend = f"write {' or '.join(f'{each}: …' for each in references)}" if references else "remove it"
        return f"{key}: a secret must not stand in a site (not shown); {mend}"
    return f"unknown key {key!r}; {key_hint(key, sorted(known), entry.values)}"
