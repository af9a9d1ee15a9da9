"""Which devices would not be heard: their broker or their shard is away for longer than a moment."""

import asyncio
import json
import math
import time
from pathlib import Path
from types import SimpleNamespace

import aiomqtt
import pytest

from collectors.config import CollectionPlan, MqttBinding, MqttBroker
from collectors.profiles import MqttProfile
from collectors.profiles.reader import shipped
from collectors.shares import Share
from dcops import out_of_touch, standing_values
from dcops.crew.members import Member
from dcops.crew.roles import Role
from dcops.crew.shard import Shard
from dcops.out_of_touch import OutOfTouch, Source, sources_of
from dcops.platform import Platform
from dcops.settings import Settings
from dcops.site_file import LoadedSite, load
from dcops.stages import stage
from dcops.system_clock import SystemClock
from tests.climate import climate_site
from tests.collectors.healths import endpoint_health
from tests.e2e.hall import until
from tests.servers.processes import Server, free_port, mosquitto

SECOND = 1_000_000_000


def plan(**words: object) -> CollectionPlan:
    profile = shipped()["rack-climate"]
    assert isinstance(profile, MqttProfile)
    return CollectionPlan(
        brokers=(MqttBroker(id="broker", host="127.0.0.1", port=1, client_id="c", **words),),  # type: ignore[arg-type]
        mqtt=tuple(
            MqttBinding(device=device, first=at, broker="broker", topic=device, period=1.0, profile=profile)
            for at, device in enumerate(("door", "leak", "other"))
        ),
    )


class Rig:
    def __init__(self, **words: object) -> None:
        self.sources = [Source("broker", in_touch=True), Source("shard 2/2", in_touch=True)]
        self.touch = OutOfTouch(plan(**words), {"leak": "shard 2/2"}, {"door", "leak"}, lambda: self.sources)

    def at(self, second: int) -> tuple[set[str], set[str]]:
        found = self.touch(1_000_000 * SECOND + second * SECOND)
        return set(found.lost), set(found.missed)


def test_a_broker_that_is_away_for_half_a_minute_loses_its_devices_until_it_is_back() -> None:
    rig = Rig()
    assert rig.at(0) == (set(), set())
    rig.sources[0] = Source("broker", in_touch=False)
    assert rig.at(5) == rig.at(34) == (set(), set())
    assert rig.at(40) == ({"door", "leak"}, set())
    rig.sources[0] = Source("broker", in_touch=True)
    assert rig.at(45) == rig.at(50) == (set(), set())


def test_a_shard_that_is_silent_loses_what_it_collects() -> None:
    rig = Rig()
    rig.sources[1] = Source("shard 2/2", in_touch=False)
    rig.at(0)
    assert rig.at(30) == ({"leak"}, set())


@pytest.mark.parametrize(("words", "sessions"), [({}, 1), ({"qos": 0}, 0)])
def test_what_a_broker_has_forgotten_is_missed(words: dict[str, object], sessions: int) -> None:
    rig = Rig(**words)
    rig.sources[0] = Source("broker", in_touch=False)
    rig.at(0)
    rig.at(30)
    rig.sources[0] = Source("broker", in_touch=True, missed=sessions)
    assert rig.at(35) == (set(), {"door", "leak"})
    assert rig.at(40) == (set(), set())


def test_a_clock_that_is_set_back_neither_loses_nor_finds() -> None:
    rig = Rig()
    rig.sources[0] = Source("broker", in_touch=False)
    rig.at(1000)
    assert rig.at(0) == rig.at(29) == (set(), set())
    assert rig.at(34) == ({"door", "leak"}, set())


@pytest.mark.parametrize(
    ("words", "kept", "sessions", "missed"),
    [
        ({}, True, 0, set()),
        ({}, False, 0, {"door", "leak"}),
        ({}, True, 1, {"door", "leak"}),
        ({"qos": 0}, True, 0, {"door", "leak"}),
    ],
)
def test_after_a_restart_nothing_is_heard_until_a_broker_was_there_and_has_kept_all_of_it(
    words: dict[str, object], *, kept: bool, sessions: int, missed: set[str]
) -> None:
    rig = Rig(**words)
    rig.sources = [Source("broker", in_touch=False, kept=False), Source("shard 2/2", in_touch=True)]
    rig.touch.restart()
    assert rig.at(0) == ({"door", "leak"}, set())
    rig.sources[0] = Source("broker", in_touch=True, missed=sessions, kept=kept)
    assert rig.at(5) == (set(), missed)
    assert rig.at(10) == (set(), set())


def test_after_a_restart_nothing_is_heard_through_a_shard_until_it_is_and_tells_of_its_broker() -> None:
    own = SimpleNamespace(brokers=lambda: ())
    shard = Member("shard 2/2", SystemClock())
    touch = OutOfTouch(plan(), {"leak": "shard 2/2"}, {"leak"}, lambda: sources_of(own, [shard]))  # type: ignore[arg-type]
    touch.restart()
    assert touch(0).lost == touch(5 * SECOND).lost == {"leak"}
    shard.hear(time.time_ns())
    assert touch(10 * SECOND).lost == {"leak"}, "it may have lost its broker"
    broker = endpoint_health("broker", protocol="mqtt")
    shard.endpoints = lambda: (broker,)  # type: ignore[method-assign]
    assert touch(15 * SECOND).lost == set()


def test_a_broker_that_goes_away_later_is_judged_as_ever() -> None:
    rig = Rig()
    rig.sources[0] = Source("broker", in_touch=True, kept=False)
    rig.touch.restart()
    assert rig.at(0) == (set(), {"door", "leak"})
    rig.sources[0] = Source("broker", in_touch=False, kept=False)
    assert rig.at(5) == (set(), set())
    assert rig.at(40) == ({"door", "leak"}, set())
    rig.sources[0] = Source("broker", in_touch=True, kept=False)
    assert rig.at(45) == (set(), set())


def test_a_device_that_said_that_it_is_offline_is_not_found_with_its_broker() -> None:
    rig = Rig()
    rig.sources[0] = Source("broker", in_touch=False)
    rig.at(0)
    rig.at(30)
    rig.sources[0] = Source("broker", in_touch=True, gone=("door",))
    assert rig.at(35) == (set(), {"door"})


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that is away is so at once."""
    monkeypatch.setattr(out_of_touch, "PATIENCE", 0)
    monkeypatch.setattr(out_of_touch, "LOOK", 0)


def write_by_exception(folder: Path, broker: Server) -> LoadedSite:
    """A site with one sensor, which is silent while nothing changes."""
    path = folder / "site.yaml"
    path.write_text(climate_site(broker.port, "c0", more=", period: 1s, reports_by_exception: true"))
    return load(path)


async def publish(broker: Server, sensor: str = "c0") -> None:
    """What the sensor says."""
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        values = {"ts": time.time_ns() // 1_000_000, "temperature": 24.5, "humidity": 40.0}
        await client.publish(f"dcops/rack-1/{sensor}", json.dumps(values), 1)


@pytest.mark.usefixtures("at_once")
async def test_a_value_that_stands_is_no_good_while_its_broker_is_away_and_somebody_is_told(
    tmp_path: Path,
) -> None:
    with mosquitto(tmp_path / "mosquitto", persistent=True) as broker:
        loaded = write_by_exception(tmp_path, broker)
        settings = Settings(data=tmp_path / "data", port=free_port())
        platform = Platform(loaded, SystemClock(), settings, {})
        at = platform.catalogue.index("c0.air_inlet_temperature")
        stop = asyncio.Event()

        def alarms() -> list[str]:
            return [each.id for each in platform.board.active()]

        async with stage({"platform": platform.run(stop)}):
            await until(lambda: platform.collection.brokers()[0].state == "connected", "connected")
            await publish(broker)
            await until(lambda: platform.image.quality[at] == 192, "the value is shown")
            broker.stop()
            await until(lambda: platform.image.quality[at] == 20, "it is no good any more")
            assert platform.image.values[at] == 24.5
            await until(lambda: alarms() == ["device-silent:c0"], "somebody is told")
            broker.start()
            await until(lambda: platform.image.quality[at] == 192, "it stands again", 60)
            await until(lambda: alarms() == [], "the alarm goes", 60)
            stop.set()
            await until(lambda: not platform.deliveries[0].backlog.points, "all is stored")


@pytest.mark.usefixtures("at_once")
async def test_what_stood_does_not_stand_again_if_the_device_went_offline_while_its_broker_was_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mosquitto(tmp_path / "mosquitto", persistent=True) as broker:
        (tmp_path / "own.yaml").write_text(
            "profile: rack-climate\nextends: rack-climate\nliveness: {topic: LWT}\n"
        )
        path = tmp_path / "site.yaml"
        sensors = climate_site(broker.port, "c0", "c1", more=", period: 1s, reports_by_exception: true")
        path.write_text(f"{sensors}profiles: [own.yaml]\n")
        platform = Platform(load(path), SystemClock(), Settings(data=tmp_path / "data", port=free_port()), {})
        at = [platform.catalogue.index(f"{each}.air_inlet_temperature") for each in ("c0", "c1")]
        stop = asyncio.Event()
        subscriber = platform.collection._brokers._subscribers["broker"]
        running = asyncio.create_task(platform.run(stop))
        await until(lambda: platform.collection.brokers()[0].state == "connected", "connected")
        await publish(broker)
        await publish(broker, "c1")
        await until(lambda: platform.image.quality[at].tolist() == [192, 192], "the values are shown")
        let = asyncio.Event()
        monkeypatch.setattr(subscriber, "_recall", let.wait)
        broker.stop()
        await until(lambda: platform.image.quality[at].tolist() == [20, 20], "they are no good any more")
        broker.start()
        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            await client.publish("dcops/rack-1/c0/LWT", "Offline", 1, retain=True)
        let.set()
        await until(lambda: platform.image.quality[at[1]] == 192, "the other one stands again", 60)
        assert platform.collection.brokers()[0].offline == ("c0",)
        assert platform.image.quality[at[0]] == 20
        stop.set()
        await running


@pytest.mark.usefixtures("at_once")
async def test_what_a_device_said_before_a_restart_stands_after_it_if_its_broker_has_kept_the_rest(
    tmp_path: Path,
) -> None:
    with mosquitto(tmp_path / "mosquitto", persistent=True) as broker:
        loaded = write_by_exception(tmp_path, broker)
        settings = Settings(data=tmp_path / "data", port=free_port())
        times = []
        for start, quality in (("first", 192), ("again", 192), ("forgotten", 20)):
            if start == "forgotten":
                await forget_sessions(broker)
            platform = Platform(loaded, SystemClock(), settings, {})
            at = platform.catalogue.index("c0.air_inlet_temperature")
            stop = asyncio.Event()
            running = asyncio.create_task(platform.run(stop))
            await until(lambda: platform.collection.brokers()[0].state == "connected", "connected")  # noqa: B023
            if start == "first":
                await publish(broker)
            await until(lambda: platform.tick.stats.ticks > 3, "some seconds are closed")  # noqa: B023
            await until(lambda: platform.image.quality[at] == quality, f"{start}: {quality}")  # noqa: B023
            assert platform.image.values[at] == 24.5
            kept = await platform.spool.load_state("standing")
            assert kept is None or not standing_values.decode(kept).whole, "a kill now leaves what may be old"
            times.append(int(platform.image.times[at]))
            stop.set()
            await running
        assert len(set(times)) == 1


def write_moving(folder: Path, brokers: tuple[Server, Server], place: str) -> LoadedSite:
    """A site with two brokers; a sensor that is silent while nothing changes is behind one, a second behind
    the other.
    """
    path = folder / "site.yaml"
    text = climate_site(brokers[0].port, "c0", more=", period: 1s, reports_by_exception: true")
    broker = f"{{id: broker, protocol: mqtt, host: 127.0.0.1, port: {brokers[0].port}, client_id: collector}}"
    other = f"{{id: other, protocol: mqtt, host: 127.0.0.1, port: {brokers[1].port}, client_id: collector}}"
    assert broker in text
    sensor = "kind: environment_sensor, in: rack-1, profile: rack-climate"
    text = text.replace(broker, f"{broker}\n  - {other}").replace("endpoint: broker", f"endpoint: {place}")
    path.write_text(f"{text}  - {{id: c1, {sensor}, endpoint: other}}\n")
    return load(path)


@pytest.mark.usefixtures("at_once")
async def test_what_a_device_said_over_one_broker_is_not_shown_once_it_is_behind_another(
    tmp_path: Path,
) -> None:
    with (
        mosquitto(tmp_path / "one", persistent=True) as one,
        mosquitto(tmp_path / "other", persistent=True) as other,
    ):
        settings, said = Settings(data=tmp_path / "data", port=free_port()), False
        for place, quality, value in (("broker", 192, 24.5), ("broker", 192, 24.5), ("other", 32, None)):
            loaded = write_moving(tmp_path, (one, other), place)
            platform = Platform(loaded, SystemClock(), settings, {})
            at = platform.catalogue.index("c0.air_inlet_temperature")
            stop = asyncio.Event()
            running = asyncio.create_task(platform.run(stop))

            def states() -> set[str]:
                return {each.state for each in platform.collection.brokers()}  # noqa: B023

            await until(lambda: states() == {"connected"}, "both are connected")
            if not said:
                await publish(one)
                said = True
            await until(lambda: platform.tick.stats.ticks > 3, "some seconds are closed")  # noqa: B023
            await until(lambda: platform.image.quality[at] == quality, f"{place}: {quality}")  # noqa: B023
            shown = float(platform.image.values[at])
            assert (None if math.isnan(shown) else shown) == value
            stop.set()
            await running


async def forget_sessions(broker: Server) -> None:
    """As a broker does that lost its disk."""
    broker.stop()
    for path in broker.folder.glob("*.db"):
        path.unlink()
    broker.start()


@pytest.mark.usefixtures("at_once")
async def test_a_shard_shows_the_same_on_its_own_page(tmp_path: Path) -> None:
    with mosquitto(tmp_path / "mosquitto", persistent=True) as broker:
        loaded = write_by_exception(tmp_path, broker)
        head = f"http://127.0.0.1:{free_port()}"
        role = Role(shards=1, own=1, head=head, token="a-token-for-tests-only")
        settings = Settings(
            data=tmp_path / "data", port=free_port(), role=role, load=lambda: load(tmp_path / "site.yaml")
        )
        shard = Shard(loaded, SystemClock(), settings, {}, share=Share(1, 1))
        at = shard.live.kept.catalogue.index("c0.air_inlet_temperature")
        async with stage({"shard": shard.run(asyncio.Event())}):
            await until(lambda: shard.collection.brokers()[0].state == "connected", "connected")
            await publish(broker)
            await until(lambda: shard.live.image.quality[at] == 192, "the value is shown")
            broker.stop()
            await until(lambda: shard.live.image.quality[at] == 20, "it is no good any more")
            assert shard.live.image.values[at] == 24.5
            await shard.reloader.reload()
            await until(lambda: shard.live.image.quality[at] == 20, "nor after a reload")
            broker.start()
            await until(lambda: shard.live.image.quality[at] == 192, "it stands again", 60)
            await shard.spool.flush()
            assert shard.spool.stats.appended == 2, "the head judges for itself"


@pytest.mark.usefixtures("at_once")
async def test_a_shard_shows_on_its_own_page_after_a_restart_what_stood_before(tmp_path: Path) -> None:
    with mosquitto(tmp_path / "mosquitto", persistent=True) as broker:
        loaded = write_by_exception(tmp_path, broker)
        head = f"http://127.0.0.1:{free_port()}"
        role = Role(shards=1, own=1, head=head, token="a-token-for-tests-only")
        settings = Settings(data=tmp_path / "data", port=free_port(), role=role)
        for start, quality in (("first", 192), ("again", 192), ("forgotten", 20)):
            if start == "forgotten":
                await forget_sessions(broker)
            shard = Shard(loaded, SystemClock(), settings, {}, share=Share(1, 1))
            at = shard.live.kept.catalogue.index("c0.air_inlet_temperature")
            stop = asyncio.Event()
            running = asyncio.create_task(shard.run(stop))
            await until(lambda: bool(shard.collection.brokers()), "a broker is known of")  # noqa: B023
            await until(lambda: shard.collection.brokers()[0].state == "connected", "connected")  # noqa: B023
            if start == "first":
                await publish(broker)
            await until(lambda: shard.tick.stats.ticks > 3, "some seconds are closed")  # noqa: B023
            await until(lambda: shard.live.image.quality[at] == quality, f"{start}: {quality}")  # noqa: B023
            assert shard.live.image.values[at] == 24.5
            stop.set()
            await running
        assert shard.spool.stats.appended == 0, "the head remembers for itself"
