"""The MQTT part of a profile: topic template, payload paths, source time."""

import re

from collectors.profiles import MqttProfile, PayloadField, TimeFormat
from collectors.profiles.document import Section
from collectors.profiles.points import PointReader
from facility.devices import DeviceKind, PointSpec

Path = tuple[str | int, ...]

_WORD = re.compile(r"\{([A-Za-z0-9_]+)\}")


def read_mqtt_profile(top: Section, name: str, kind: DeviceKind, source: str, caveats: str) -> MqttProfile:
    """The profile of a section; mistakes are noted there."""
    topic = top.text("topic", required=True)
    if topic:
        _check_topic(top, topic)
    time_path, time_format = _time(top)
    reader = PointReader()
    points: list[PointSpec] = []
    fields: list[PayloadField] = []
    for section in top.sections("points", required=True):
        meaning = reader.read(section)
        points.append(PointSpec(meaning.name, meaning.type, states=meaning.states))
        fields.append(PayloadField(path=_path(section, "path"), scale=meaning.scale, offset=meaning.offset))
        section.close()
    return MqttProfile(
        name=name,
        kind=kind,
        points=tuple(points),
        topic=topic,
        fields=tuple(fields),
        time_path=time_path,
        time_format=time_format,
        source=source,
        caveats=caveats,
    )


def _check_topic(top: Section, topic: str) -> None:
    if "+" in topic or "#" in topic:
        top.note(f"'topic' {topic!r} holds a wildcard; write the words a device has as {{word}}", "topic")
    if "{" in _WORD.sub("", topic) or "}" in _WORD.sub("", topic):
        top.note(f"'topic' {topic!r} has a brace alone; write {{device}}, {{space}} or another word", "topic")


def _time(top: Section) -> tuple[Path, TimeFormat]:
    section = top.section("time")
    if section is None:
        return (), TimeFormat.NONE
    path = _path(section, "path")
    written = section.choice("format", TimeFormat, required=True) or TimeFormat.NONE
    section.close()
    return path, written


def _path(section: Section, key: str) -> Path:
    """Keys and list places; a list of them where a key holds a dot; empty if the payload is the value."""
    if not section.has(key):
        section.note(f"'{key}' is missing; add it, or '{key}: \"\"' if the payload is the bare value")
    words = section.words(key)
    return tuple(int(word) if word.isascii() and word.isdigit() else word for word in words)
