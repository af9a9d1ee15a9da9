"""What a demo tells when it ends."""

import math
from dataclasses import dataclass
from typing import Self

from dcops.platform import Platform
from dcops.truth import Comparison
from facility.kpis import COMPLETE
from facility.quantities import Window
from facility.site import Site

_SHORT = 1800.0
"""Seconds below which a poll more or less at either end of a comparison can be seen in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The figures of one run."""

    seconds: float
    """Of the clock."""
    devices: int
    points: int
    polls_done: int
    polls_missed: int
    polls_failed: int
    stored: int
    """Readings in the history."""
    waiting: int
    """Readings accepted but not yet in it."""
    pue: float
    category: str
    """Of the PUE; empty if there is none."""
    covered: float
    """Share of the last 24 hours that the PUE rests on."""
    alarms_raised: int
    alarms_active: int
    compared: tuple[Comparison, ...]

    @classmethod
    def of(cls, site: Site, platform: Platform, compared: list[Comparison], seconds: float) -> Self:
        """The figures as they stand."""
        totals = platform.collection.totals()
        history = platform.deliveries[0]
        pue, category, covered = campus_pue(site, platform)
        return cls(
            seconds=seconds,
            devices=len(site.devices),
            points=site.point_count,
            polls_done=totals.polls_done,
            polls_missed=totals.polls_missed,
            polls_failed=totals.polls_failed,
            stored=history.stats.written,
            waiting=history.backlog.points,
            pue=pue,
            category=category,
            covered=covered,
            alarms_raised=platform.board.raised_total,
            alarms_active=len(platform.board.active()),
            compared=tuple(compared),
        )


def campus_pue(site: Site, platform: Platform) -> tuple[float, str, float]:
    """(PUE of the campus over the last day, its category, its coverage), of the best category there is."""
    for category in ("3", "2", "1"):
        group_id = f"{site.campus.id}.pue.{category}.{Window.DAY}"
        if group_id in platform.catalogue.group_index:
            group = platform.catalogue.group(group_id)
            value, covered = platform.image.values[group.first : group.first + 2].tolist()
            return value, category, covered
    return math.nan, "", 0.0


def print_summary(summary: Summary) -> None:
    """Print it, a line a subject."""
    pue = "not known"
    if math.isfinite(summary.pue):
        mark, doubt = ("", "") if summary.covered >= COMPLETE else ("≈ ", ": incomplete")
        covered = f"{summary.covered:.2%} of 24 h measured{doubt}"
        pue = f"{mark}{summary.pue:.3f} (category {summary.category}, {covered})"
    print(f"ran      {summary.seconds:,.0f} s")
    print(f"site     {summary.devices:,} devices, {summary.points:,} points")
    print(
        f"polls    {summary.polls_done:,} done, {summary.polls_missed:,} missed,"
        f" {summary.polls_failed:,} failed"
    )
    print(f"stored   {summary.stored:,} readings, {summary.waiting:,} on their way")
    print(f"PUE      {pue}")
    print(f"alarms   {summary.alarms_raised:,} raised, {summary.alarms_active:,} active")
    for each in summary.compared:
        print(
            f"truth    {each.node} {each.energy}: {each.measured / 1e3:,.1f} kWh in the history,"
            f" {each.true / 1e3:,.1f} kWh in truth ({each.error:+.3%} over {each.seconds:,.0f} s)"
        )
    if any(each.seconds < _SHORT for each in summary.compared):
        print(
            "         Both ends of an energy are known to about a poll, which shows over so short a time;"
            " --speed 360 --duration 4min compares a day."
        )
