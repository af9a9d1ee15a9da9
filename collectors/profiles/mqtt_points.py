"""The MQTT part of a profile: topics, payload paths, source time, quality, liveness."""

import re

from collectors.profiles import Liveness, MqttProfile, Path, PayloadField, PayloadQuality, TimeFormat
from collectors.profiles.document import Section
from collectors.profiles.points import PointReader
from facility.devices import DeviceKind, PointSpec

_WORD = re.compile(r"\{([A-Za-z0-9_]+)\}")
_UP = "../"


def read_mqtt_profile(top: Section, name: str, kind: DeviceKind, source: str, caveats: str) -> MqttProfile:
    """The profile of a section; mistakes are noted there."""
    topic = top.text("topic", required=True)
    if topic:
        _check_topic(top, topic)
    time_path, time_format = _time(top)
    reader = PointReader()
    found: list[tuple[PayloadField, PointSpec]] = []
    for section in top.sections("points", required=True):
        meaning = reader.read(section)
        point = PointSpec(meaning.name, meaning.type, states=meaning.states)
        lies = PayloadField(
            path=_path(section, "path"),
            scale=meaning.scale,
            offset=meaning.offset,
            topic=_topic_under(section),
            invalid=section.numbers("invalid"),
        )
        found.append((lies, point))
        section.close()
    places = {each: at for at, each in enumerate(dict.fromkeys(lies.topic for lies, _ in found))}
    found.sort(key=lambda each: places[each[0].topic])
    return MqttProfile(
        name=name,
        kind=kind,
        points=tuple(point for _, point in found),
        topic=topic,
        fields=tuple(lies for lies, _ in found),
        time_path=time_path,
        time_format=time_format,
        quality=_quality(top),
        partial=top.flag("partial"),
        liveness=_liveness(top),
        make=top.text("make"),
        source=source,
        caveats=caveats,
    )


def _check_topic(top: Section, topic: str) -> None:
    if "+" in topic or "#" in topic:
        top.note(f"'topic' {topic!r} holds a wildcard; write the words a device has as {{word}}", "topic")
    if "{" in _WORD.sub("", topic) or "}" in _WORD.sub("", topic):
        top.note(f"'topic' {topic!r} has a brace alone; write {{device}}, {{space}} or another word", "topic")


def _topic_under(section: Section, *, required: bool = False) -> str:
    """A topic under that of the device."""
    topic = section.text("topic", required=required)
    if "+" in topic or "#" in topic:
        section.note(f"'topic' {topic!r} holds a wildcard; write the one topic under the device's", "topic")
    elif "{" in topic or "}" in topic:
        rule = "words stand in the 'topic' of the profile only; write what follows that"
        section.note(f"'topic' {topic!r} has a brace; {rule}", "topic")
    elif topic.startswith("/") or topic.endswith("/"):
        rule = "it follows the device's topic, and a '/' is put between; remove that"
        section.note(f"'topic' {topic!r} begins or ends with '/'; {rule}", "topic")
    return topic


def _time(top: Section) -> tuple[Path, TimeFormat]:
    section = top.section("time")
    if section is None:
        return (), TimeFormat.NONE
    path = _path(section, "path")
    written = section.choice("format", TimeFormat, required=True) or TimeFormat.NONE
    section.close()
    return path, written


def _quality(top: Section) -> PayloadQuality | None:
    section = top.section("quality")
    if section is None:
        return None
    path = _path(section, "path")
    good, uncertain = (frozenset(map(str.casefold, section.names(key))) for key in ("good", "uncertain"))
    if not good and not section.has("good"):
        section.note("'good' is missing; list what means good, such as [1] or [192]")
    both = sorted(good & uncertain)
    if both:
        section.note(f"'uncertain' has {both[0]!r}, which is in 'good'; remove one", "uncertain")
    section.close()
    return PayloadQuality(path=path, good=good, uncertain=uncertain)


def _liveness(top: Section) -> Liveness | None:
    section = top.section("liveness")
    if section is None:
        return None
    topic = _topic_under(section, required=True)
    below = topic
    while below.startswith(_UP):
        below = below.removeprefix(_UP)
    if ".." in below.split("/"):
        section.note(f"'topic' {topic!r} goes up behind a word; write every '../' at its beginning", "topic")
    path = _path(section, "path") if section.has("path") else ()
    online, offline = section.text("online", "online"), section.text("offline", "offline")
    if online.casefold() == offline.casefold():
        section.note(f"'online' and 'offline' are both {online!r}; correct one", "offline")
    section.close()
    return Liveness(topic=topic, path=path, online=online, offline=offline)


def _path(section: Section, key: str) -> Path:
    """Keys and list places; a list of them where a key holds a dot; empty if the payload is the value."""
    if not section.has(key):
        section.note(f"'{key}' is missing; add it, or '{key}: \"\"' if the payload is the bare value")
    words = section.words(key)
    return tuple(int(word) if word.isascii() and word.isdigit() else word for word in words)
