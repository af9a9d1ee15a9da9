"""Device profiles from YAML: strict, with every mistake at once, each with file, line and mend.

A Modbus profile lists where its points lie; ``table`` and ``order`` at the top hold for all points that
say nothing else. Values are ``raw * scale + offset`` in ``unit``, which is the base unit of the type
unless told. A point's type is its name unless told::

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
from collections.abc import Callable, Iterable
from importlib import resources
from pathlib import Path

from collectors.errors import ProfileError, ProfileProblem
from collectors.profiles import Profile
from collectors.profiles.document import Problems, Section, one_of, parse
from collectors.profiles.modbus_points import read_modbus_profile
from collectors.profiles.mqtt_points import read_mqtt_profile
from facility.devices import DeviceKind

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_READERS: dict[str, Callable[[Section, str, DeviceKind, str, str], Profile]] = {
    "modbus": read_modbus_profile,
    "mqtt": read_mqtt_profile,
}


def read_profile(text: str, file: str) -> Profile:
    """The profile a text describes; ``file`` is how messages name the text.

    Raises:
        ProfileError: it has mistakes; the error holds all of them.
    """
    problems = Problems(file)
    top = parse(text, problems)
    profile = _read(top) if top is not None else None
    if profile is None or problems.found:
        raise ProfileError(problems.found)
    return profile


def read_files(files: Iterable[Path]) -> dict[str, Profile]:
    """Profiles of several files, by name.

    Raises:
        ProfileError: the mistakes of all files together; also an unreadable file and a name used twice.
    """
    problems: list[ProfileProblem] = []
    found: dict[str, Profile] = {}
    for file in files:
        try:
            profile = read_profile(file.read_text(encoding="utf-8"), str(file))
        except ProfileError as error:
            problems.extend(error.problems)
        except (OSError, UnicodeDecodeError) as error:
            problems.append(ProfileProblem(str(file), 1, f"cannot be read: {error}"))
        else:
            if profile.name in found:
                problems.append(ProfileProblem(str(file), 1, f"profile {profile.name!r} exists; rename one"))
            found[profile.name] = profile
    if problems:
        raise ProfileError(problems)
    return found


def shipped() -> dict[str, Profile]:
    """The profiles that come with the platform, by name."""
    folder = resources.files("collectors.profiles")
    texts = {
        each.name: each.read_text(encoding="utf-8")
        for each in folder.iterdir()
        if each.name.endswith(".yaml")
    }
    profiles = [read_profile(texts[name], name) for name in sorted(texts)]
    return {profile.name: profile for profile in profiles}


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
