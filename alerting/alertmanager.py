"""Prometheus Alertmanager as a channel: API v2, POST /api/v2/alerts.

Alertmanager forgets an alert that is not repeated, so the notifier refreshes; each repetition says until
when the alert holds without another one. Times are clamped to the present, because an alert that ends in the
future would be taken as active, and one that begins there as none.
"""

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import aiohttp
from yarl import URL

from alerting.alarms import Alarm, Priority
from alerting.posting import post
from alerting.secrecy import secrets_of
from facility.sample import NANOSECONDS

REFRESH = 60.0
"""Seconds between repetitions of active alarms."""
HOLD = 5 * REFRESH
"""Seconds an alert stays active without one."""

REMEMBERED = 20_000
"""Of so many active alarms it is known what they were told as; no more can be active."""

RUNBOOK = "docs/runbook.md"

SEVERITIES = {Priority.HIGH: "critical", Priority.MEDIUM: "warning", Priority.LOW: "info"}
"""The label ``severity``, as Prometheus users know it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerOptions:
    """Where to, and as whom."""

    url: str = field(repr=False)
    """Base address, such as http://127.0.0.1:9093; may hold user and password."""
    site: str
    runbook: str = ""
    """Where runbook anchors lead; empty for the file of the distribution."""
    timeout: float = 10.0
    """Seconds."""
    spaces: Callable[[str], Mapping[str, str]] = field(default=lambda _: {}, repr=False)
    """By level, the ids of the spaces that a space is in, and its own: labels to group and silence by."""


@dataclass(frozen=True, slots=True)
class _Told:
    """An alarm, and what it is told as."""

    alarm: Alarm
    spaces: Mapping[str, str]
    """By level, the spaces it was in when it was first told: the site may be another by now."""


class Alertmanager:
    """A channel that keeps an Alertmanager's alerts equal to the alarms.

    An alert is known by its labels, so an alarm keeps those it was first told with until it ends.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        options: AlertmanagerOptions,
        *,
        wall: Callable[[], int] = time.time_ns,
    ) -> None:
        """``wall`` tells the real time (ns, UTC), also where the platform's clock is a simulated one."""
        self._session = session
        self._options = options
        self._base = URL(options.url)
        self._url = self._base / "api/v2/alerts"
        self._secrets = secrets_of(self._base)
        self._wall = wall
        self._active: OrderedDict[str, _Told] = OrderedDict()
        """By id, the active alarms that were told; what was told last is the last."""

    @property
    def name(self) -> str:
        """What to call it; leaves out user and password."""
        return f"alertmanager {self._base.origin()}"

    async def send(self, alarms: Sequence[Alarm]) -> None:
        """See ``alerting.delivery.Channel``. Of several states of one alarm only the last is sent."""
        now = self._wall()
        latest = {alarm.id: self._to_tell(alarm) for alarm in alarms}
        replaced = [old for each in latest.values() if (old := self._replaced(each)) is not None]
        alerts = [self._alert(_Told(replace(old.alarm, cleared=now), old.spaces), now) for old in replaced]
        alerts += [self._alert(each, now) for each in latest.values()]
        await post(
            self._session,
            self._url,
            json.dumps(alerts, ensure_ascii=False).encode(),
            headers={},
            seconds=self._options.timeout,
            secrets=self._secrets,
        )
        for each in latest.values():
            self._remember(each)

    def _to_tell(self, alarm: Alarm) -> _Told:
        before = self._active.get(alarm.id)
        if before is not None and before.alarm.raised == alarm.raised:
            return _Told(alarm, before.spaces)
        return _Told(alarm, self._options.spaces(alarm.space))

    def _replaced(self, told: _Told) -> _Told | None:
        """An earlier occurrence of the alarm, or edition of it, that an alert of other labels stands for."""
        before = self._active.get(told.alarm.id)
        if before is None or before.alarm is told.alarm:
            return None
        return before if self._labels(before) != self._labels(told) else None

    def _remember(self, told: _Told) -> None:
        self._active.pop(told.alarm.id, None)
        if told.alarm.cleared is None:
            self._active[told.alarm.id] = told
        if len(self._active) > REMEMBERED:
            self._active.popitem(last=False)

    def _labels(self, told: _Told) -> dict[str, str]:
        return labels_of(told.alarm, self._options.site, told.spaces)

    def _alert(self, told: _Told, now: int) -> dict[str, object]:
        return alert_of(told.alarm, self._labels(told), self._options.runbook, now)


def labels_of(alarm: Alarm, site: str, spaces: Mapping[str, str]) -> dict[str, str]:
    """What the alert of an alarm is known by; ``spaces`` are those it is in, by level."""
    labels = {
        "alertname": alarm.rule,
        "rule": alarm.rule,
        "device": alarm.device,
        "point": alarm.point,
        "node": alarm.space,
        "priority": str(alarm.priority),
        "severity": SEVERITIES[alarm.priority],
        "category": str(alarm.category),
        "instance": site,
        **spaces,
    }
    return {name: value for name, value in labels.items() if value}


def alert_of(alarm: Alarm, labels: Mapping[str, str], runbook: str, now: int) -> dict[str, object]:
    """The alert that stands for an alarm at ``now`` (ns, UTC, real time)."""
    starts = min(alarm.raised, now)
    ends = now + round(HOLD * NANOSECONDS) if alarm.cleared is None else max(starts, min(alarm.cleared, now))
    return {
        "labels": labels,
        "annotations": _annotations(alarm, runbook),
        "startsAt": _rfc3339(starts),
        "endsAt": _rfc3339(ends),
    }


def _annotations(alarm: Alarm, runbook: str) -> dict[str, str]:
    annotations = {
        "summary": alarm.message,
        "description": f"{alarm.message}. {alarm.action}",
        "action": alarm.action,
        "runbook": alarm.runbook_at(runbook or RUNBOOK),
    }
    if alarm.value is not None:
        annotations["value"] = f"{alarm.value:g} {alarm.unit}".strip()
    if alarm.limit is not None:
        annotations["limit"] = f"{alarm.limit:g} {alarm.unit}".strip()
    return {name: text for name, text in annotations.items() if text}


def _rfc3339(time_ns: int) -> str:
    whole, rest = divmod(time_ns, NANOSECONDS)
    moment = datetime.fromtimestamp(whole, UTC) + timedelta(microseconds=rest // 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
