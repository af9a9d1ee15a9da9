"""JSON schema of profiles, for editors: built from what the reader knows, so that both agree.

It knows keys, words and ranges; what points say of each other only the reader checks.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from collectors.profiles import DataType, Half, Order, Table, TimeFormat
from collectors.profiles.identities import ENCODINGS, LONGEST_TEXT
from collectors.profiles.modbus_points import MAX_EVERY
from collectors.profiles.references import REFERENCE_KEYS
from collectors.profiles.registers import LAST_ADDRESS, MAX_REGISTERS
from facility.devices import DeviceKind
from facility.point_types import POINT_TYPES, Behaviour
from facility.units import symbols

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, object]

_NAME: Schema = {"type": "string", "pattern": "^[a-z][a-z0-9_]*$"}
_TEXT: Schema = {"type": ["string", "number"]}
_WORDS: Schema = {"type": ["string", "number", "boolean"]}
_NUMBER: Schema = {"type": "number"}
_ADDRESS: Schema = {"type": "integer", "minimum": 0, "maximum": LAST_ADDRESS}
_DURATION: Schema = {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)? ?(ms|s|min|h)$"}
_NUMBERED = "^-?(0[xX][0-9a-fA-F]+|[0-9]+)$"
_PATTERNS: Schema = {"type": "array", "items": {"type": "integer", "minimum": 0}}
_DESCRIPTIONS = {
    "address": "Protocol address, from 0",
    "binary_point": "The raw number is divided by 2 to this power",
    "every": "Read in every so manieth scan",
    "extends": "Profile this one is a variant of",
    "invalid": "Raw patterns, or numbers of messages, that mean there is no value",
    "max_gap": "Unused registers that may be read across",
    "modulus": "Raw number at which a counter starts again",
    "offset": "Added after scaling, in 'unit'",
    "partial": "Messages hold only what has changed",
    "scale": "Factor on the raw number",
    "shift": "Added to every address that is taken over",
    "without": "Names that are not taken over",
}


def profile_schema() -> dict[str, object]:
    """The schema of a profile file, of either protocol or extending another one."""
    is_mqtt: Schema = {"properties": {"protocol": {"const": "mqtt"}}, "required": ["protocol"]}
    is_variant: Schema = {"required": ["extends"]}
    needed = ("kind", "protocol", "points")
    return {
        "$schema": DIALECT,
        "title": "dcops device profile",
        "type": "object",
        "required": ["profile"],
        "if": is_variant,
        "then": _object(_TOP | _VARIANT | _nullable(_modbus_keys(_changed) | _mqtt_keys(_changed))),
        "else": {
            "if": is_mqtt,
            "then": _object(_TOP | _mqtt_keys(_complete), (*needed, "topic")),
            "else": _object(_TOP | _modbus_keys(_complete), needed),
        },
    }


def _object(properties: Mapping[str, object], required: Sequence[str] = ()) -> Schema:
    described = {
        key: {**value, "description": _DESCRIPTIONS[key]}
        if key in _DESCRIPTIONS and isinstance(value, dict)
        else value
        for key, value in properties.items()
    }
    found: Schema = {"type": "object", "properties": described, "additionalProperties": False}
    return found | {"required": list(required)} if required else found


def _list(item: Schema, *, least: int = 0) -> Schema:
    return {"type": "array", "items": item, "minItems": least}


def _words(words: Iterable[str]) -> Schema:
    return {"enum": [str(word) for word in words]}


def _numbered(values: Schema) -> Schema:
    return {
        "type": "object",
        "patternProperties": {_NUMBERED: values},
        "additionalProperties": False,
        "minProperties": 1,
    }


def _whole(least: int, most: int | None = None) -> Schema:
    bounds: Schema = {"type": "integer", "minimum": least}
    return bounds if most is None else bounds | {"maximum": most}


_TOP: dict[str, object] = {
    "profile": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]*$"},
    "kind": _words(DeviceKind),
    "protocol": _words(("modbus", "mqtt")),
    "source": _TEXT,
    "caveats": _TEXT,
}
_VARIANT: dict[str, object] = {
    "extends": {"type": "string"},
    "shift": {"type": "integer"},
    "without": _list({"type": "string"}),
}
_POINT: dict[str, object] = {
    "name": _NAME,
    "type": _words(POINT_TYPES),
    "unit": {"enum": ["", 1, *symbols()]},
    "scale": _NUMBER,
    "offset": _NUMBER,
    "behaviour": _words(Behaviour),
    "states": _numbered(_WORDS),
}
_PLACE: dict[str, object] = {"table": _words(Table), "address": _ADDRESS}
_REGISTER: dict[str, object] = _PLACE | {
    "data": _words(DataType),
    "order": _words(Order),
    "half": _words(Half),
    "bit": _whole(0, 15),
    "width": _whole(1, 16),
    "binary_point": {"type": "integer"},
    "invalid": _PATTERNS,
}


_PATH: Schema = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]}

Entry = Callable[[Mapping[str, object], Sequence[str]], Schema]
"""What an entry of a list is, from its keys and those it needs beside its name."""


def _complete(keys: Mapping[str, object], needed: Sequence[str]) -> Schema:
    return _object(keys, ("name", *needed))


def _changed(keys: Mapping[str, object], needed: Sequence[str]) -> Schema:  # noqa: ARG001 - an Entry
    """An entry of a variant: it may say only what differs, and take keys away."""
    others = _nullable({key: value for key, value in keys.items() if key != "name"})
    return _object({"name": keys["name"]} | others, ("name",))


def _nullable(keys: Mapping[str, object]) -> dict[str, object]:
    return {key: {"anyOf": [value, {"type": "null"}]} for key, value in keys.items()}


def _references() -> dict[str, object]:
    simple: dict[str, object] = {
        key: _NAME for key in REFERENCE_KEYS if key not in {"unit_from", "order_from"}
    }
    units = _numbered({"enum": ["", 1, *symbols()]})
    orders = _numbered(_words(Order))
    return simple | {
        "unit_from": _object({"point": _NAME, "units": units}, ("point", "units")),
        "order_from": _object({"point": _NAME, "orders": orders}, ("point", "orders")),
    }


def _modbus_keys(entry: Entry) -> dict[str, object]:
    helper = _REGISTER | _references() | {key: _POINT[key] for key in ("name", "unit", "scale", "offset")}
    point = _POINT | helper | {"every": _whole(1, MAX_EVERY), "modulus": _whole(1), "path": _PATH}
    point |= {"topic": {"type": "string"}, "sum": _list(_NAME, least=1)}
    if entry is _changed:
        point["invalid"] = _list(_NUMBER)  # of either protocol
        points = _list(entry(point, ()))
    else:
        del point["path"], point["topic"]
        points = _list(_with_place_or_sum(entry(point, ())), least=1)
    text = _PLACE | {
        "name": {"type": "string"},
        "length": _whole(1, LONGEST_TEXT),
        "swapped": {"type": "boolean"},
        "encoding": _words(ENCODINGS),
    }
    with_patterns = [str(each) for each in DataType if each not in {DataType.BIT, DataType.BITS}]
    return {
        "make": _TEXT,
        "firmware": _TEXT,
        "link": _TEXT,
        "table": _words(Table),
        "order": _words(Order),
        "invalid_by_type": _object(dict.fromkeys(with_patterns, _PATTERNS)),
        "max_registers": _whole(1, MAX_REGISTERS),
        "max_gap": _whole(0, MAX_REGISTERS),
        "alone": {"type": "boolean"},
        "check_range": {"type": "boolean"},
        "forbidden": _list(_object({"table": _words(Table), "from": _ADDRESS, "to": _ADDRESS}, ("from",))),
        "points": points,
        "helpers": _list(entry(helper, ("address", "data"))),
        "texts": _list(entry(text, ("address", "length"))),
        "identity": _list(_identity()),
        "identification": _object({"vendor": _TEXT, "product": _TEXT}),
        "sunspec": _object({"model": _whole(1, LAST_ADDRESS - 1), "bases": _list(_ADDRESS)}, ("model",)),
        "manners": _object({"timeout": _DURATION, "pause": _DURATION}),
    }


def _mqtt_keys(entry: Entry) -> dict[str, object]:
    text: Schema = {"type": "string"}
    words = _list(_WORDS)
    liveness: dict[str, object] = {"topic": text, "path": _PATH, "online": _WORDS, "offline": _WORDS}
    keys: dict[str, object] = {
        "make": _TEXT,
        "topic": text,
        "time": _object({"path": _PATH, "format": _words(TimeFormat)}, ("path", "format")),
        "quality": _object({"path": _PATH, "good": words, "uncertain": words}, ("path", "good")),
        "partial": {"type": "boolean"},
        "liveness": _object(liveness, ("topic",)),
    }
    if entry is _complete:
        point = _POINT | {"path": _PATH, "topic": text, "invalid": _list(_NUMBER)}
        keys["points"] = _list(entry(point, ("path",)), least=1)
    return keys


def _with_place_or_sum(point: Schema) -> Schema:
    return point | {"anyOf": [{"required": ["address", "data"]}, {"required": ["sum"]}]}


def _identity() -> Schema:
    number = _whole(0)
    keys = _PLACE | {
        "length": _whole(1, MAX_REGISTERS),
        "text": _TEXT,
        "equals": number,
        "from": number,
        "to": number,
    }
    expectations = [{"required": [key]} for key in ("text", "equals", "from", "to")]
    return _object(keys, ("address",)) | {"anyOf": expectations}
