"""What a process that collects tells of itself, and how all of them are seen as one."""

import asyncio
from dataclasses import asdict, replace
from math import isnan
from typing import Any

import pytest

from collectors.figures import figures_of, together
from collectors.health import (
    CollectionTotals,
    CollectorState,
    DeviceCost,
    DeviceHealth,
    DeviceLesson,
    DeviceState,
    DeviceTally,
    EndpointHealth,
    EndpointState,
    ReadCost,
    RefusedValue,
)
from dcops.crew.members import CrewCollection, Member
from dcops.crew.report import (
    Condition,
    Reporter,
    ReportUnreadableError,
    read_devices,
    read_endpoints,
    read_report,
)
from facility.durations import Durations
from facility.sample import NANOSECONDS
from tests.collectors.healths import device_health, endpoint_health

NOON = 1_767_268_800 * NANOSECONDS
TOTALS = CollectionTotals(polls_due=10, polls_done=7, polls_missed=2, polls_failed=1, samples=7)


class SetClock:
    def __init__(self) -> None:
        self.time = NOON

    def now(self) -> int:
        return self.time

    async def sleep_until(self, time: int) -> None:
        raise NotImplementedError


def device(name: str, state: DeviceState = DeviceState.ONLINE, unit: int | None = 1) -> DeviceHealth:
    return device_health(
        name,
        endpoint=f"gw-{name}",
        unit=unit,
        state=state,
        polls_done=3,
        polls_missed=1,
        last_error="no reply",
    )


def endpoint(name: str) -> EndpointHealth:
    return endpoint_health(
        f"gw-{name}",
        state=EndpointState.DOWN,
        connected_since=NOON,
        requests=12,
        errors={"timeout": 2},
        offline=("lamp",),
        round_trip=0.25,
        last_error="refused",
    )


def lesson(name: str) -> DeviceLesson:
    return DeviceLesson(
        device=name,
        endpoint=f"gw-{name}",
        unit=1,
        profile="cdu",
        refused=(RefusedValue(place="holding 41", points=("leak",), exception=2),),
        cuts=("holding 15",),
        start=40_000,
        identity={"vendor": "Acme"},
    )


class Collecting:
    """A collection of one device."""

    def __init__(self, name: str, state: DeviceState = DeviceState.ONLINE) -> None:
        self.name = name
        self.state = state
        self.forgotten: list[str | None] = []

    def totals(self) -> CollectionTotals:
        return TOTALS

    @property
    def lateness(self) -> Durations:
        found = Durations()
        found.add(1_500_000)
        return found

    def tally(self) -> DeviceTally:
        return DeviceTally(states={self.state: 1}, refused=2, identity_changes=1)

    def endpoints(self) -> tuple[EndpointHealth, ...]:
        return (endpoint(self.name),)

    def each_endpoint(self) -> Any:
        yield endpoint(self.name)

    def each_figures(self) -> Any:
        yield figures_of([endpoint(self.name)])

    def each_device(self) -> Any:
        yield device(self.name, self.state)

    def device(self, name: str) -> DeviceHealth | None:
        return device(name, self.state) if name == self.name else None

    def texts(self, name: str) -> dict[str, str]:
        return {"serial": f"S-{name}"} if name == self.name else {}

    def all_texts(self) -> dict[str, dict[str, str]]:
        return {self.name: self.texts(self.name)}

    def costs(self, name: str) -> tuple[DeviceCost, ...]:
        return tuple(cost for endpoint, cost in self.each_cost() if endpoint == name)

    def each_cost(self) -> Any:
        reads = (ReadCost("holding 0+18", 4, 0.5),)
        yield f"gw-{self.name}", DeviceCost(device=self.name, unit=1, reads=reads)

    def lessons(self) -> tuple[DeviceLesson, ...]:
        return (lesson(self.name),)

    def forget(self, name: str | None = None) -> int:
        if name not in {None, self.name}:
            raise KeyError(name)
        self.forgotten.append(name)
        return 1


def condition(**others: Any) -> Condition:
    return replace(Condition(index=2, count=2, catalogue="ab", sent=NOON, process="one"), **others)


def written(told: Condition, name: str = "far", *, everything: bool = True) -> bytes:
    reporter = Reporter(Collecting(name), lambda: told)
    reporter._written = 2  # the first ones tell more
    return asyncio.run(reporter.write(everything=everything))


def report(name: str = "far", *, everything: bool = True, **others: Any) -> Any:
    return read_report(written(condition(**others), name, everything=everything))


def seen(member: Member) -> CrewCollection:
    return CrewCollection(Collecting("near", DeviceState.DORMANT), [member])  # type: ignore[arg-type]


def member_with(clock: SetClock, *reports: Any) -> Member:
    member = Member("shard 2/2", clock)
    for each in reports:
        member.take(each)
    return member


def test_a_report_comes_out_as_it_went_in() -> None:
    found = report(waiting=5, lost=6, cpu_seconds=1.5, memory=7, url="http://there:8080/")
    assert found.condition == condition(
        waiting=5, lost=6, cpu_seconds=1.5, memory=7, url="http://there:8080/"
    )
    assert found.totals == TOTALS
    assert found.tally == DeviceTally(states={DeviceState.ONLINE: 1}, refused=2, identity_changes=1)
    endpoints = read_endpoints(found.endpoint_lines)
    told, expected = asdict(endpoints[0]), asdict(endpoint("far"))
    assert {k: v for k, v in told.items() if v == v} == {k: v for k, v in expected.items() if v == v}  # noqa: PLR0124
    assert isnan(endpoints[0].utilisation)
    assert endpoints[0].state is EndpointState.DOWN


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"{}\n[]\n", b'{"version": 2}\n[]\n\n', b"[]\n[]\n[]\n", b"\xff\n\n\n"]
)
def test_what_is_no_report_is_refused(body: bytes) -> None:
    with pytest.raises(ReportUnreadableError):
        read_report(body)


def test_all_collecting_is_seen_as_one() -> None:
    collection = seen(member_with(SetClock(), report()))
    assert [(each.device, each.state) for each in collection.devices()] == [
        ("near", DeviceState.DORMANT),
        ("far", DeviceState.ONLINE),
    ]
    assert [collection.device(each) for each in ("near", "far", "nowhere")] == [
        device("near", DeviceState.DORMANT),
        device("far"),
        None,
    ]
    assert [each.endpoint for each in collection.endpoints()] == ["gw-near", "gw-far"]
    assert collection.totals() == CollectionTotals(
        polls_due=20, polls_done=14, polls_missed=4, polls_failed=2, samples=14
    )
    tally = collection.tally()
    assert dict(tally.states) == {DeviceState.DORMANT: 1, DeviceState.ONLINE: 1}
    assert (tally.refused, tally.identity_changes) == (4, 2)
    assert (sum(collection.lateness.counts), collection.lateness.counts[1]) == (2, 2)  # 1 ms to 2 ms
    assert collection.lateness.total == 3_000_000
    assert collection.texts("far") == {"serial": "S-far"}
    assert collection.texts("near") == {"serial": "S-near"}
    assert [(each.device, each.seconds) for each in collection.costs("gw-far")] == [("far", 0.5)]
    assert collection.lessons() == (lesson("near"), lesson("far"))


def test_the_endpoints_of_all_stand_in_the_same_columns() -> None:
    found = together(list(seen(member_with(SetClock(), report())).each_figures()))
    assert found.names == ("gw-near", "gw-far")
    assert found.requests.tolist() == [12.0, 12.0]
    assert found.round_trip.tolist() == [0.25, 0.25]
    assert found.errors == {"gw-near": {"timeout": 2}, "gw-far": {"timeout": 2}}


def test_what_a_report_leaves_out_stays_as_it_was_told_before() -> None:
    collection = seen(member_with(SetClock(), report(), report(everything=False)))
    assert collection.lessons() == (lesson("near"), lesson("far"))
    assert [each.device for each in collection.devices()] == ["near", "far"]
    assert [each.endpoint for each in collection.endpoints()] == ["gw-near", "gw-far"]


def test_what_was_counted_before_a_process_started_anew_is_still_counted() -> None:
    """A sum that becomes less looks to Prometheus as if all of it had been counted once more."""
    first, second = report(process="a"), report(process="b")
    collection = seen(member_with(SetClock(), first, first, second))
    assert collection.totals() == CollectionTotals(
        polls_due=30, polls_done=21, polls_missed=6, polls_failed=3, samples=21
    )
    assert collection.lateness.total == 4_500_000
    assert sum(collection.lateness.counts) == 3


def test_damaged_lists_are_said_and_add_nothing() -> None:
    member = member_with(SetClock(), replace(report(), device_lines=b"[{}]"))
    assert [each.device for each in seen(member).devices()] == ["near"]
    assert "devices of a report cannot be read" in member.health().error


async def test_a_long_list_comes_out_whole_and_lets_others_have_their_turn() -> None:
    class Many(Collecting):
        def each_device(self) -> Any:
            for number in range(1001):
                yield device(f"d{number}")

    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    found = read_report(await Reporter(Many("far"), condition).write())
    counting.cancel()
    assert [each.device for each in read_devices(found.device_lines)] == [f"d{n}" for n in range(1001)]
    assert turns >= 5


def test_sums_alone_are_told_at_once_and_what_was_told_of_each_device_stays() -> None:
    member = member_with(SetClock(), report())
    before = member.devices()
    assert before
    member.take(read_report(Reporter(Collecting("far"), condition).sums()))
    assert member.devices() == before
    assert member.report is not None
    assert member.report.totals == TOTALS


def test_who_has_not_been_heard_yet_adds_nothing() -> None:
    collection = seen(Member("shard 2/2", SetClock()))
    assert [each.device for each in collection.devices()] == ["near"]
    assert collection.totals() == TOTALS


def test_others_are_told_to_forget_what_they_collect() -> None:
    member = member_with(SetClock(), report())
    collection = seen(member)
    assert collection.forget("far") == 1
    assert member.orders == ["far"]
    assert collection.forget("near") == 1
    assert collection.forget() == 2
    assert member.orders == ["far", ""]
    with pytest.raises(KeyError):
        collection.forget("nobody")


def test_a_process_is_silent_after_fifteen_seconds() -> None:
    clock = SetClock()
    member = Member("shard 2/2", clock)
    assert member.health().state is CollectorState.EXPECTED
    member.take(report(sent=NOON + 2 * NANOSECONDS))
    assert (member.health().state, member.health().clock_ahead) == (CollectorState.HEARD, 2.0)
    clock.time += 15 * NANOSECONDS
    assert member.health().state is CollectorState.HEARD
    clock.time += 1
    assert member.health().state is CollectorState.SILENT
    member.hear(clock.time)
    assert member.health().state is CollectorState.HEARD


def test_a_restart_is_no_rival_but_two_at_once_are() -> None:
    clock = SetClock()
    member = member_with(clock, report(process="one"), report(process="two"), report(process="two"))
    assert member.health().error == ""
    member.take(report(process="one"))
    assert member.health().error == (
        "two processes collect as shard 2/2, and its devices are read twice; stop one of them"
    )
    clock.time += 61 * NANOSECONDS
    assert member.health().error == ""


def test_one_that_falls_silent_is_silent_though_the_clock_was_set_back() -> None:
    clock = SetClock()
    member = member_with(clock, report(process="one"), report(process="two"), report(process="one"))
    clock.time = NOON - 3600 * NANOSECONDS
    assert member.health().state is CollectorState.HEARD
    assert "two processes collect" in member.health().error
    clock.time += 16 * NANOSECONDS
    assert member.health().state is CollectorState.SILENT
    clock.time += 60 * NANOSECONDS
    assert member.health().error == ""


def test_how_those_do_that_a_silent_process_reads_nobody_knows() -> None:
    clock = SetClock()
    collection = seen(member_with(clock, report()))
    clock.time += 15 * NANOSECONDS
    assert collection.device("far").state is DeviceState.ONLINE
    clock.time += 1
    found = collection.device("far")
    assert (found.state, found.last_error) == (DeviceState.SUSPECT, "shard 2/2 is not heard")
    assert [each.state for each in collection.devices()] == [DeviceState.DORMANT, DeviceState.SUSPECT]
    assert collection.tally().states == {DeviceState.DORMANT: 1, DeviceState.SUSPECT: 1}
    _, far = collection.endpoints()
    assert (far.state, far.last_error) == (EndpointState.DOWN, "shard 2/2 is not heard")
    assert together(list(collection.each_figures())).names == ("gw-near",)
    assert collection.totals().polls_done == 14, "what was counted was"
