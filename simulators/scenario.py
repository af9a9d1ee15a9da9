"""Scenarios: what happens to a simulated site, and when.

A scenario is a YAML file. Times count from the start of the simulation::

    dcops_scenario: 1
    name: Feed A is lost
    seed: 1                     # which devices a share picks
    steps:
      - {at: 30s, do: feed_lost, feed: A}
      - {at: 2min, do: silent, devices: "*-pdu-a", share: 10%}
      - {at: 10min, do: feed_restored, feed: A}

What can be done, with the keys each takes:

============== ======================================================================================
feed_lost      feed; space (default: the campus); where: distribution (default) or utility
feed_restored  feed; space
chiller_trip   devices, kind, space, share; without any, all chillers. Stops any machine so named
chiller_reset  likewise
silent         devices, kind, space, share: no answer on the wire, no messages
refuse         likewise, but not over MQTT; code (default: 4): every read gets this exception
answer         likewise: the end of ``silent`` and ``refuse``
stuck          devices, kind, space, share; point (default: all): frozen at what it shows
unstuck        likewise: the end of ``stuck`` and ``value``
value          devices, kind, space, share; point; value in base units
gateway_down   endpoint, share: connections are cut and refused
gateway_up     endpoint, share
load_step      load: share of the rating, or ``normal``; space
============== ======================================================================================

``devices`` (or ``device``), ``space`` and ``endpoint`` are ids or patterns such as ``b1-*``, one or a list.
"""

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import yaml

from facility.sample import NANOSECONDS
from facility.site import Site
from simulators.actions import Action
from simulators.errors import ScenarioError
from simulators.scenario_document import Entry, Problems, compose, entry, line, near, pairs
from simulators.scenario_steps import STEPS, Chooser, Wires

_VERSION = "1"
_TOP = ("dcops_scenario", "name", "description", "seed", "steps")
_SECONDS = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
_TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s|min|h)")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens."""

    at: int
    """Nanoseconds from the start."""
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A checked scenario of a site."""

    name: str
    description: str
    steps: tuple[Step, ...]
    """In order of time."""


def shipped_scenarios() -> tuple[str, ...]:
    """Names of the scenarios that come with the platform."""
    folder = resources.files("simulators") / "scenarios"
    return tuple(
        sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))
    )


def load_scenario(name: str, site: Site, wires: Wires) -> Scenario:
    """The scenario of a name that is shipped, or in a file of that path.

    Raises:
        ScenarioError: there is none, or it has mistakes; the error holds all of them.
    """
    if name in shipped_scenarios():
        file = resources.files("simulators") / "scenarios" / f"{name}.yaml"
        return read_scenario(file.read_text(encoding="utf-8"), f"{name}.yaml", site, wires)
    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(shipped_scenarios())
        raise ScenarioError(
            [f"{name}: {_unread(error)}; give one that is shipped ({known}) or a file"]
        ) from error
    return read_scenario(text, name, site, wires)


def read_scenario(text: str, file: str, site: Site, wires: Wires) -> Scenario:
    """The scenario a text describes; ``file`` is how messages name the text.

    Raises:
        ScenarioError: it has mistakes; the error holds all of them.
    """
    problems = Problems(file)
    root = compose(text, problems)
    scenario = None
    if root is not None:
        scenario = _Reader(root, problems, site, wires).read()
    if scenario is None or problems.found:
        raise ScenarioError(problems.found)
    return scenario


class _Reader:
    """Reads one document."""

    def __init__(self, root: yaml.MappingNode, problems: Problems, site: Site, wires: Wires) -> None:
        self._problems = problems
        self._nodes = dict(pairs(root, problems))
        self._site = site
        self._wires = wires

    def read(self) -> Scenario:
        for key, node in self._nodes.items():
            if key not in _TOP:
                self._problems.add(line(node), f"unknown key {key!r}{near(key, _TOP)}")
        version = self._text("dcops_scenario", "")
        if version != _VERSION:
            self._problems.add(
                self._line("dcops_scenario"), f"'dcops_scenario: 1' must say the format, not {version!r}"
            )
        seed = self._text("seed", "1")
        if not seed.isdecimal():
            self._problems.add(self._line("seed"), f"seed {seed!r} is not a whole number")
            seed = "1"
        chooser = Chooser(self._site, self._wires, int(seed), self._problems)
        steps = [step for node in self._steps() if (step := self._step(node, chooser)) is not None]
        name = self._text("name", self._problems.file)
        return Scenario(name, self._text("description", ""), tuple(sorted(steps, key=lambda each: each.at)))

    def _steps(self) -> list[yaml.Node]:
        node = self._nodes.get("steps")
        if isinstance(node, yaml.SequenceNode) and node.value:
            return list(node.value)
        self._problems.add(
            self._line("steps"), "'steps' must list what happens, such as {at: 30s, do: feed_lost, feed: A}"
        )
        return []

    def _step(self, node: yaml.Node, chooser: Chooser) -> Step | None:
        found = entry(node, self._problems)
        if found is None:
            return None
        at = self._time(found)
        kind = _only(found, "do", self._problems, f"one of {', '.join(STEPS)}")
        if kind is None:
            return None
        if kind not in STEPS:
            self._problems.add(
                found.line_of("do"),
                f"cannot do {kind!r}{near(kind, STEPS) or '; it is none of ' + ', '.join(STEPS)}",
            )
            return None
        keys, make = STEPS[kind]
        for key in found.texts:
            if key not in {"at", "do", *keys}:
                self._problems.add(found.line_of(key), f"{kind} takes no {key!r}{near(key, keys)}")
        actions = make(found, chooser)
        return Step(at, actions) if at is not None else None

    def _time(self, found: Entry) -> int | None:
        text = _only(found, "at", self._problems, "a time such as 30s")
        if text is None:
            return None
        match = _TIME.fullmatch(text)
        if match is None:
            self._problems.add(
                found.line_of("at"), f"at: {text!r} is not a time such as 30s, 5min, 1h or 250ms"
            )
            return None
        return int(float(match[1]) * _SECONDS[match[2]] * NANOSECONDS)

    def _text(self, key: str, default: str) -> str:
        node = self._nodes.get(key)
        return str(node.value) if isinstance(node, yaml.ScalarNode) else default

    def _line(self, key: str) -> int:
        node = self._nodes.get(key)
        return line(node) if node is not None else 1


def _only(found: Entry, key: str, problems: Problems, wanted: str) -> str | None:
    texts = found.texts.get(key, ())
    if len(texts) == 1:
        return texts[0]
    problems.add(found.line_of(key), f"{key!r} is missing or a list; give {wanted}")
    return None


def _unread(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, FileNotFoundError):
        return "is no scenario"
    if isinstance(error, UnicodeDecodeError):
        return f"is not UTF-8 at byte {error.start}"
    return f"cannot be read ({error.strerror})"
