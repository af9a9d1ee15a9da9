"""Alarms as JSON, each written once however often it is saved: thousands stand for hours in a flood."""

from collections.abc import Iterable

import orjson

from alerting.alarms import Alarm


class Written:
    """The JSON of the alarms it was asked for the last time."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Alarm, orjson.Fragment]] = {}
        """By identity; the alarm is kept with it, so that no other takes its place."""

    def __call__(self, alarms: Iterable[Alarm]) -> list[orjson.Fragment]:
        """What ``orjson.dumps`` writes as these alarms."""
        before, self._kept = self._kept, {}
        for alarm in alarms:
            found = before.get(id(alarm))
            self._kept[id(alarm)] = found or (alarm, orjson.Fragment(orjson.dumps(alarm)))
        return [fragment for _, fragment in self._kept.values()]
