"""From the words of a scenario step to its actions on a site, noting every word that means nothing."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import ceil
from random import Random

from collectors.config import CollectionPlan
from facility.devices import DeviceKind, Feed
from facility.site import Site
from simulators.actions import (
    Action,
    ForceLoad,
    ForceValue,
    LoseFeed,
    Refuse,
    Release,
    RestoreFeed,
    Silence,
    Stick,
    SwitchEndpoint,
    Trip,
)
from simulators.plant.feeds import distribution_of, utility_of
from simulators.plant.wiring import MACHINES, racks_within
from simulators.scenario_document import Entry, Problems, near

_UTILITY, _DISTRIBUTION = "utility", "distribution"
_NORMAL = "normal"
_MOST_LOAD = 1.5
_HIGHEST_CODE = 127
_FAILURE = 4
"""Exception code of a device that has failed."""
_WHICH = ("device", "devices", "kind", "space", "share")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wires:
    """How the devices of a site are reached."""

    endpoints: tuple[str, ...]
    """Ids of those at which devices are read."""
    brokers: frozenset[str] = frozenset()
    """Ids of those that devices publish to."""
    publishing: frozenset[str] = frozenset()
    """Ids of the devices that do so: nobody asks them anything."""

    @classmethod
    def of(cls, plan: CollectionPlan) -> "Wires":
        """Those of a plan."""
        return cls(
            endpoints=tuple(each.id for each in plan.endpoints),
            brokers=frozenset(each.id for each in plan.brokers),
            publishing=frozenset(each.device for each in plan.mqtt),
        )


class Chooser:
    """Finds what the words of a step stand for."""

    def __init__(self, site: Site, wires: Wires, seed: int, problems: Problems) -> None:
        self.site = site
        self.wires = wires
        self.problems = problems
        self._seed = seed

    def devices(self, step: Entry, default: DeviceKind | None = None) -> tuple[str, ...]:
        """Devices named by id, pattern, kind and space, or a share of them picked by the seed."""
        if not any(key in step.texts for key in _WHICH) and default is None:
            self.problems.add(step.line, "which devices? Give 'device', 'devices', 'kind' or 'space'")
            return ()
        patterns = (*step.texts.get("device", ()), *step.texts.get("devices", ()))
        key = "device" if "device" in step.texts else "devices"
        ids = [device.id for device in self.site.devices]
        chosen = self._matching(step, key, patterns, ids, "device") if patterns else ids
        kinds = self._kinds(step) or ({default} if default is not None and not patterns else set())
        spaces = set(self.spaces(step)) if "space" in step.texts else None
        found = [
            each
            for each in chosen
            if (not kinds or self.site.device(each).kind in kinds)
            and (spaces is None or self._inside(each, spaces))
        ]
        if not found and chosen:
            self.problems.add(step.line, "no device of the site is all that this step asks for")
        return self._shared(step, tuple(found))

    def spaces(self, step: Entry) -> tuple[str, ...]:
        """Spaces named by id or pattern; the campus if none is."""
        patterns = step.texts.get("space", ())
        if not patterns:
            return (self.site.campus.id,)
        return self._matching(step, "space", patterns, [space.id for space in self.site.spaces], "space")

    def endpoints(self, step: Entry) -> tuple[str, ...]:
        """Endpoints named by id or pattern."""
        patterns = step.texts.get("endpoint", ())
        if not patterns:
            self.problems.add(step.line, "which 'endpoint'?")
        for broker in sorted(self.wires.brokers.intersection(patterns)):
            self.problems.add(
                step.line_of("endpoint"),
                f"{broker} is a broker, which no scenario stops; have its devices be 'silent'",
            )
        asked = [each for each in patterns if each not in self.wires.brokers]
        return self._shared(step, self._matching(step, "endpoint", asked, self.wires.endpoints, "endpoint"))

    def feed(self, step: Entry) -> Feed | None:
        """The feed named."""
        text = self.word(step, "feed")
        if text is not None and text not in {feed.value for feed in Feed}:
            self.problems.add(step.line_of("feed"), f"feed {text!r} is neither A nor B")
            return None
        return Feed(text) if text is not None else None

    def points(self, step: Entry, devices: Iterable[str]) -> tuple[int, ...]:
        """Indices of the points named, on the devices that have them; of all points if none is named."""
        names = step.texts.get("point", ())
        chosen = [self.site.devices[self.site.device_index[each]] for each in devices]
        known = {point.name for device in chosen for point in device.points}
        for name in names:
            if chosen and name not in known:
                self.problems.add(
                    step.line_of("point"), f"none of the devices has a point {name!r}{near(name, known)}"
                )
        return tuple(
            int(self.site.first_points[self.site.device_index[device.id]]) + offset
            for device in chosen
            for offset, point in enumerate(device.points)
            if not names or point.name in names
        )

    def number(self, step: Entry, key: str, low: float, high: float) -> float | None:
        """A number within bounds."""
        text = self.word(step, key)
        if text is None:
            return None
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            self.problems.add(step.line_of(key), f"{key}: {text!r} is not a number from {low:g} to {high:g}")
            return None
        return value

    def word(self, step: Entry, key: str) -> str | None:
        """The one word of a key."""
        texts = step.texts.get(key, ())
        if len(texts) == 1:
            return texts[0]
        self.problems.add(step.line_of(key), f"{key!r} is missing or a list; give one")
        return None

    def _matching(
        self, step: Entry, key: str, patterns: Iterable[str], known: Iterable[str], what: str
    ) -> tuple[str, ...]:
        every = list(known)
        found: dict[str, None] = {}
        for pattern in patterns:
            hits = [each for each in every if fnmatchcase(each, pattern)]
            if not hits:
                self.problems.add(step.line_of(key), f"no {what} {pattern!r}{near(pattern, every)}")
            found.update(dict.fromkeys(hits))
        return tuple(found)

    def _kinds(self, step: Entry) -> set[DeviceKind]:
        kinds = set()
        known = [kind.value for kind in DeviceKind]
        for text in step.texts.get("kind", ()):
            if text in known:
                kinds.add(DeviceKind(text))
            else:
                self.problems.add(step.line_of("kind"), f"unknown kind {text!r}{near(text, known)}")
        return kinds

    def _inside(self, device: str, spaces: set[str]) -> bool:
        return any(space.id in spaces for space in self.site.ancestors(self.site.device(device).space))

    def _shared(self, step: Entry, found: tuple[str, ...]) -> tuple[str, ...]:
        """The share of what was found that the step asks for."""
        if "share" not in step.texts:
            return found
        text = self.word(step, "share") or ""
        try:
            share = float(text.removesuffix("%")) / 100
        except ValueError:
            share = -1.0
        if not text.endswith("%") or not 0 < share <= 1:
            self.problems.add(step.line_of("share"), f"share {text!r} is not a percentage such as 10%")
            return found
        count = max(1, ceil(share * len(found) - 1e-9))
        picked = set(Random(self._seed).sample(found, min(count, len(found))))
        return tuple(each for each in found if each in picked)


StepMaker = Callable[[Entry, Chooser], tuple[Action, ...]]


def _feed_lost(step: Entry, chooser: Chooser) -> tuple[Action, ...]:
    feed, spaces = chooser.feed(step), chooser.spaces(step)
    where = chooser.word(step, "where") if "where" in step.texts else _DISTRIBUTION
    if where not in {_UTILITY, _DISTRIBUTION}:
        chooser.problems.add(step.line_of("where"), f"where: {where!r} is neither distribution nor utility")
    if feed is None:
        return ()
    if not any(device.feed is feed for device in chooser.site.devices):
        chooser.problems.add(step.line_of("feed"), f"no device of the site is on feed {feed}")
    elif spaces:
        _check_feed(step, chooser, feed, spaces, utility=where == _UTILITY)
    return tuple(LoseFeed(feed=feed, space=space, utility=where == _UTILITY) for space in spaces)


def _check_feed(step: Entry, chooser: Chooser, feed: Feed, spaces: Sequence[str], *, utility: bool) -> None:
    """Notes that there is nothing of a feed to lose where it is to be lost."""
    site, here = chooser.site, ", ".join(spaces)
    if utility and not any(utility_of(site, feed, space) for space in spaces):
        chooser.problems.add(
            step.line,
            f"the grid does not come to feed {feed} in {here}: no utility meter or board on it is there",
        )
    if not utility and not any(any(distribution_of(site, feed, space)) for space in spaces):
        chooser.problems.add(step.line, f"no supply of feed {feed} is in {here}")


def _feed_restored(step: Entry, chooser: Chooser) -> tuple[Action, ...]:
    feed, spaces = chooser.feed(step), chooser.spaces(step)
    return tuple(RestoreFeed(feed=feed, space=space) for space in spaces) if feed is not None else ()


def _trip(step: Entry, chooser: Chooser, *, tripped: bool) -> tuple[Action, ...]:
    devices = chooser.devices(step, DeviceKind.CHILLER)
    for each in devices:
        if chooser.site.device(each).kind not in MACHINES:
            chooser.problems.add(step.line, f"{each} is no machine that can trip")
    return (Trip(devices=devices, tripped=tripped),)


def _silence(step: Entry, chooser: Chooser, *, silent: bool) -> tuple[Action, ...]:
    return (Silence(devices=chooser.devices(step), silent=silent),)


def _refuse(step: Entry, chooser: Chooser) -> tuple[Action, ...]:
    code = chooser.number(step, "code", 1, _HIGHEST_CODE) if "code" in step.texts else _FAILURE
    devices = chooser.devices(step)
    deaf = [each for each in devices if each in chooser.wires.publishing]
    if deaf:
        others = f" and {len(deaf) - 1} more" if len(deaf) > 1 else ""
        chooser.problems.add(
            step.line,
            f"{deaf[0]}{others} cannot refuse a read: nobody reads what publishes over MQTT; leave"
            f" {'them' if others else 'it'} out, or have {'them' if others else 'it'} be 'silent'",
        )
    return (Refuse(devices=devices, code=int(code)),) if code is not None else ()


def _stuck(step: Entry, chooser: Chooser) -> tuple[Action, ...]:
    return (Stick(points=chooser.points(step, chooser.devices(step))),)


def _unstuck(step: Entry, chooser: Chooser) -> tuple[Action, ...]:
    return (Release(points=chooser.points(step, chooser.devices(step))),)


def _value(step: Entry, chooser: Chooser) -> tuple[Action, ...]:
    devices = chooser.devices(step)
    value = chooser.number(step, "value", -1e12, 1e12)
    if chooser.word(step, "point") is None or value is None:
        return ()
    return (ForceValue(points=chooser.points(step, devices), value=value),)


def _gateway(step: Entry, chooser: Chooser, *, up: bool) -> tuple[Action, ...]:
    return (SwitchEndpoint(endpoints=chooser.endpoints(step), up=up),)


def _load_step(step: Entry, chooser: Chooser) -> tuple[Action, ...]:
    spaces = chooser.spaces(step)
    if spaces and not any(True for space in spaces for _ in racks_within(chooser.site, space)):
        chooser.problems.add(step.line, f"no rack is in {', '.join(spaces)}")
    if step.texts.get("load") == (_NORMAL,):
        return (ForceLoad(spaces=spaces, share=None),)
    share = chooser.number(step, "load", 0.0, _MOST_LOAD)
    return (ForceLoad(spaces=spaces, share=share),) if share is not None else ()


STEPS: dict[str, tuple[tuple[str, ...], StepMaker]] = {
    "feed_lost": (("feed", "space", "where"), _feed_lost),
    "feed_restored": (("feed", "space"), _feed_restored),
    "chiller_trip": (_WHICH, lambda step, chooser: _trip(step, chooser, tripped=True)),
    "chiller_reset": (_WHICH, lambda step, chooser: _trip(step, chooser, tripped=False)),
    "silent": (_WHICH, lambda step, chooser: _silence(step, chooser, silent=True)),
    "answer": (_WHICH, lambda step, chooser: _silence(step, chooser, silent=False)),
    "refuse": ((*_WHICH, "code"), _refuse),
    "stuck": ((*_WHICH, "point"), _stuck),
    "unstuck": ((*_WHICH, "point"), _unstuck),
    "value": ((*_WHICH, "point", "value"), _value),
    "gateway_down": (("endpoint", "share"), lambda step, chooser: _gateway(step, chooser, up=False)),
    "gateway_up": (("endpoint", "share"), lambda step, chooser: _gateway(step, chooser, up=True)),
    "load_step": (("load", "space"), _load_step),
}
"""For each thing that can be done: the keys it takes beside ``at`` and ``do``, and what makes its actions."""
