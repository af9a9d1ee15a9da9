"""``dcops check SITE``: every mistake of a site at once; connects to nothing."""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator

from collectors.config import CollectionPlan, ModbusBinding, ModbusProtocol
from collectors.modbus.prediction import PlannedDevice, planned, predict
from collectors.planning import Group, plan_groups
from dcops.garbage import no_search
from dcops.site_file import LoadedSite, SiteProblems, load
from facility.catalogue import build_catalogue
from facility.spaces import LEVELS
from facility.storing import plan_storing

_EXAMPLE = """examples:
  dcops check site/
  dcops check site.yaml

Every mistake is one line, FILE:LINE: what is wrong; how to fix it. Exit code 1 if there are any.
"""

_PROTOCOLS = {
    ModbusProtocol.TCP: "Modbus TCP",
    ModbusProtocol.TLS: "Modbus Security",
    ModbusProtocol.UDP: "Modbus in UDP",
    ModbusProtocol.RTU_TCP: "RTU over TCP",
    ModbusProtocol.RTU: "serial line",
}


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "check",
        help="print every mistake of a site, with file, line and fix",
        description="Check a site without connecting to anything.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("site", metavar="SITE", help="site file, or folder with site.yaml")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a summary, or all mistakes; 1 if there are any."""
    try:
        with no_search():
            loaded = load(args.site)
    except SiteProblems as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        count = len(error.problems)
        print(f"{args.site}: {count} mistake{'s' if count != 1 else ''}", file=sys.stderr)
        return 1
    for line in summary(loaded):
        print(line)
    for warning in loaded.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    for line in loaded.missing_secrets(os.environ):
        print(f"warning: {loaded.path}: {line}", file=sys.stderr)
    return 0


def summary(loaded: LoadedSite) -> Iterator[str]:
    """What is in a site, line by line, for people."""
    site, plan = loaded.site, loaded.plan
    levels = Counter(space.level for space in site.spaces)
    kinds = Counter(device.kind for device in site.devices)
    derived = build_catalogue(site).point_count - site.point_count
    spoken = Counter(endpoint.protocol for endpoint in plan.endpoints)
    buses = [_plural(word, spoken[protocol]) for protocol, word in _PROTOCOLS.items()]
    yield f"{loaded.path}: {site.name}, no mistakes"
    yield f"  spaces     {_counts(_plural(level, levels[level]) for level in LEVELS)}"
    yield f"  devices    {len(site.devices):,}: {_counts(sorted(kinds.items()))}"
    storing = plan_storing(site, loaded.storing)
    held = int((storing.rule > 0).sum()) if storing is not None else 0
    by_exception = f", {held:,} stored by exception" if held else ""
    yield f"  points     {site.point_count:,} read{by_exception}, {derived:,} derived"
    yield f"  endpoints  {_counts([*buses, ('MQTT', len(plan.brokers))])}"
    yield f"  polls      {_rate(_polls(plan))} a second, in {_rate(_requests(plan))} requests"
    yield from _bus_time(plan)
    yield f"  messages   {_rate(_messages(plan))} a second expected"
    yield f"  alarms     {len(loaded.rules)} rules"
    yield f"  stores     {_names([store.name for store in loaded.stores])}"
    yield f"  notify     {_names([notifier.name for notifier in loaded.notifiers])}"


def _plural(word: str, count: int) -> tuple[str, int]:
    return (f"{word}s" if count != 1 and word[0].islower() else word), count


def _counts(counts: "Iterator[tuple[str, int]] | list[tuple[str, int]]") -> str:
    return ", ".join(f"{count:,} {word}" for word, count in counts if count) or "none"


def _rate(rate: float) -> str:
    """A rate to one decimal, and a small one so that it does not look like none."""
    return f"{rate:.2g}" if 0 < rate < 0.1 else f"{rate:.1f}"  # noqa: PLR2004 - one decimal


def _names(names: list[str]) -> str:
    return ", ".join(names) or "none"


def _messages(plan: CollectionPlan) -> float:
    """Messages a second of devices that publish: one of each of their topics a period."""
    profiles = {id(binding.profile): binding.profile for binding in plan.mqtt}
    topics = {key: len(profile.topics) for key, profile in profiles.items()}
    return sum(topics[id(binding.profile)] / binding.period for binding in plan.mqtt)


def _polls(plan: CollectionPlan) -> float:
    """Modbus devices read a second."""
    return sum(1 / binding.period for binding in plan.modbus)


def _requests(plan: CollectionPlan) -> float:
    """Modbus requests a second."""
    groups = _groups(plan)
    counts = {name: sum(len(group.blocks) / group.every for group in found) for name, found in groups.items()}
    return sum(counts[binding.profile.name] / binding.period for binding in plan.modbus)


def _bus_time(plan: CollectionPlan) -> Iterator[str]:
    """How busy the busiest endpoint will be."""
    groups = _groups(plan)
    behind: dict[str, list[PlannedDevice]] = {}
    for binding in plan.modbus:
        behind.setdefault(binding.endpoint, []).append(_planned(binding, groups[binding.profile.name]))
    shares = {
        endpoint.id: predict(endpoint, behind[endpoint.id]).utilisation
        for endpoint in plan.endpoints
        if endpoint.id in behind
    }
    if shares:
        busiest = max(shares, key=shares.__getitem__)
        yield f"  bus time   {shares[busiest]:.0%} of its time at the busiest endpoint, {busiest}"


def _planned(binding: ModbusBinding, groups: tuple[Group, ...]) -> PlannedDevice:
    return planned(groups, binding.period, binding.manners, binding.profile.manners)


def _groups(plan: CollectionPlan) -> dict[str, tuple[Group, ...]]:
    """How each profile in use is read."""
    profiles = {binding.profile.name: binding.profile for binding in plan.modbus}
    return {name: plan_groups(profile) for name, profile in profiles.items()}
