"""Device profiles from YAML: strict, with every mistake at once, each with file, line and mend.

``docs/profiles.md`` explains every key. A Modbus profile lists where its points lie; ``table`` and
``order`` at the top hold for all points that say nothing else. Values are ``raw * scale + offset`` in
``unit``, which is the base unit of the type unless told. A point's type is its name unless told::

    profile: rack-pdu
    kind: rack_pdu
    protocol: modbus
    table: holding
    points:
      - {name: active_power, address: 0, data: f32, unit: kW}
      - {name: current_l1, type: phase_current, address: 10, data: u32, unit: mA, invalid: [0xFFFFFFFF]}
      - {name: fault, address: 24, data: bit, bit: 1}

An MQTT profile names a topic and, in ``path``, the keys and list places of each point in the JSON payload::

    protocol: mqtt
    topic: dcops/{space}/{device}
    time: {path: ts, format: epoch_ms}
    points:
      - {name: voltage_l1, type: voltage, path: phases.0.voltage, unit: V}
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path

import yaml

from collectors.errors import ProfileError, ProfileProblem
from collectors.profiles import Profile
from collectors.profiles.document import Problems, Section, one_of
from collectors.profiles.modbus_points import read_modbus_profile
from collectors.profiles.mqtt_points import read_mqtt_profile
from collectors.profiles.variants import Bases, Documents, ProfileText
from facility.devices import DeviceKind

_SHIPPED = ("profiles", "profiles/library")
"""Folders of this package with profiles: generic ones, and those of real devices."""
_NAME_LINE = re.compile(r"^profile:[ \t]*['\"]?([^\s'\"#]+)", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_READERS: dict[str, Callable[[Section, str, DeviceKind, str, str], Profile]] = {
    "modbus": read_modbus_profile,
    "mqtt": read_mqtt_profile,
}


def read_profile(text: str, file: str, bases: Bases | None = None) -> Profile:
    """The profile a text describes.

    Args:
        text: YAML.
        file: how messages name it.
        bases: the profiles it may extend; the shipped ones unless told.

    Raises:
        ProfileError: it has mistakes; the error holds all of them.
    """
    return _read_profile(ProfileText(file, text), bases or Bases(shipped=shipped_texts()))


def read_files(files: Iterable[Path]) -> dict[str, Profile]:
    """Profiles of several files, by name. They may extend each other.

    Raises:
        ProfileError: the mistakes of all files together; also an unreadable file and a name used twice.
    """
    problems: list[ProfileProblem] = []
    texts: list[ProfileText] = []
    for file in files:
        try:
            texts.append(ProfileText(str(file), file.read_text(encoding="utf-8")))
        except OSError as error:
            said = f"cannot be read ({error.strerror}); check the path"
            problems.append(ProfileProblem(str(file), 1, said))
        except UnicodeDecodeError as error:
            said = f"not UTF-8 at byte {error.start}; save it as UTF-8"
            problems.append(ProfileProblem(str(file), 1, said))
    bases = Bases(own=texts_by_name(texts), shipped=shipped_texts())
    found: dict[str, Profile] = {}
    for each in texts:
        try:
            profile = _read_profile(each, bases)
        except ProfileError as error:
            problems.extend(error.problems)
        else:
            if profile.name in found:
                problems.append(ProfileProblem(each.file, 1, f"profile {profile.name!r} exists; rename one"))
            found[profile.name] = profile
    if problems:
        raise ProfileError(problems)
    return found


class ShippedProfiles(Mapping[str, Profile]):
    """The profiles that come with the platform, by name. Each is read when it is asked for: sites use few."""

    def __init__(self) -> None:
        self._bases = Bases(shipped=shipped_texts())
        self._read: dict[str, Profile] = {}

    def __getitem__(self, name: str) -> Profile:
        """The profile of that name."""
        if name not in self._read:
            self._read[name] = _read_profile(self._bases.shipped[name], self._bases)
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._bases.shipped

    def __iter__(self) -> Iterator[str]:
        return iter(self._bases.shipped)

    def __len__(self) -> int:
        return len(self._bases.shipped)


@cache
def shipped() -> Mapping[str, Profile]:
    """The profiles that come with the platform, by name.

    One for the process: the files are the program's own, and a site may be loaded many times.
    """
    return ShippedProfiles()


def shipped_texts() -> dict[str, ProfileText]:
    """The profiles that come with the platform as they are written, by name; so are their files named."""
    found: dict[str, ProfileText] = {}
    for place in _SHIPPED:
        folder = resources.files("collectors").joinpath(place)
        for file in sorted(each.name for each in folder.iterdir() if each.name.endswith(".yaml")):
            text = folder.joinpath(file).read_text(encoding="utf-8")
            found[file.removesuffix(".yaml")] = ProfileText(f"collectors/{place}/{file}", text)
    return found


def name_of(text: str) -> str | None:
    """The name a profile gives itself, also where it has mistakes; None if it gives none."""
    match = _NAME_LINE.search(text)
    return match[1] if match else None


def texts_by_name(texts: Iterable[ProfileText]) -> dict[str, ProfileText]:
    """Profiles as they are written, by name; the first one of a name."""
    found: dict[str, ProfileText] = {}
    for each in texts:
        name = name_of(each.text)
        if name is not None:
            found.setdefault(name, each)
    return found


def _read_profile(document: ProfileText, bases: Bases) -> Profile:
    problems = Problems(document.file)
    top = Documents(bases, _is_profile).whole(document, problems)
    profile = _read(Section(top, problems)) if top is not None else None
    if profile is None or problems.found:
        raise ProfileError(problems.found)
    return profile


def _is_profile(node: yaml.MappingNode, problems: Problems) -> bool:
    return _read(Section(node, problems)) is not None


def _read(top: Section) -> Profile | None:
    name = top.text("profile", required=True)
    if name and not _NAME.fullmatch(name):
        top.note(f"'profile' is {name!r}; use letters, digits, '-' and '_'", "profile")
    kind = top.choice("kind", DeviceKind, required=True)
    source = top.text("source")
    caveats = top.text("caveats")
    protocol = top.text("protocol", required=True)
    reader = _READERS.get(protocol)
    if reader is None:
        if protocol:
            top.note(f"'protocol' is {protocol!r}; {one_of(protocol, _READERS)}", "protocol")
        return None
    profile = reader(top, name, kind or DeviceKind.BOARD_METER, source, caveats)
    top.close()
    return profile
