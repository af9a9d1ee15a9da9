"""What the head of two shards computes is, to the last bit, what one process makes of the same readings."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from collectors.shares import owner
from dcops.crew.roles import SHARD
from dcops.site_file import LoadedSite, load
from facility.catalogue import build_catalogue
from facility.derived import Derived
from facility.quality import Quality
from facility.sample import NANOSECONDS, Sample
from ingest.batch import Batch
from ingest.live_image import LiveImage
from ingest.parcels import Parcel, Sender, pack, unpack
from ingest.reception import Reception
from ingest.staleness import StalenessPlan
from ingest.tick import Tick
from simulators.plant import Plant
from tests.e2e.hall import SMALL, write_small_site
from tests.ingest.plant import NOON

SHARDS = 2


class Clock:
    def __init__(self) -> None:
        self.time = NOON

    def now(self) -> int:
        return self.time

    async def sleep_until(self, time: int) -> None:
        raise NotImplementedError


class Process:
    """The tick of one process; one that computes, or one that only collects."""

    def __init__(self, loaded: LoadedSite, clock: Clock, *, computes: bool) -> None:
        self.catalogue = build_catalogue(loaded.site)
        self.image = LiveImage(self.catalogue.point_count)
        self.batches: list[Batch] = []
        self.tick = Tick(
            image=self.image,
            staleness=StalenessPlan(loaded.site, frozenset()),
            device_points=loaded.site.point_count,
            clock=clock,
            hand_over=self.batches.append,
            derive=Derived(loaded.site, self.catalogue) if computes else None,
        )

    def derived(self, loaded: LoadedSite) -> tuple[bytes, bytes]:
        first = loaded.site.point_count
        return self.image.values[first:].tobytes(), self.image.quality[first:].tobytes()


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedSite:
    return load(write_small_site(Path(tmp_path_factory.mktemp("site")), shape=SMALL))


def shard_of(loaded: LoadedSite) -> list[int]:
    """Who collects each device, in site order."""
    plan = loaded.plan
    places = {b.device: b.endpoint for b in plan.modbus} | {b.device: b.broker for b in plan.mqtt}
    return [owner(places[device.id], SHARDS, SHARD) for device in loaded.site.devices]


def scans(
    loaded: LoadedSite, plant: Plant, time: int, random: np.random.Generator
) -> Iterator[tuple[int, Sample]]:
    """(place, sample) of each device; a few do not answer, some hold a value that is of no use."""
    firsts = loaded.site.first_points
    for at in range(len(loaded.site.devices)):
        values = plant.values[firsts[at] : firsts[at + 1]].copy()
        quality = np.full(values.shape, Quality.GOOD, np.uint8)
        drawn = random.random()
        if drawn < 0.05:
            continue
        if drawn < 0.1:
            values[:], quality[:] = np.nan, Quality.COMM_FAILURE
        elif drawn < 0.15:
            values[0], quality[0] = np.nan, Quality.SENSOR_FAILURE
        yield at, Sample(int(firsts[at]), time - int(random.integers(0, 900_000_000)), values, quality)


async def hand_over(shard: Process, sender: Sender, reception: Reception, tick: Tick) -> None:
    """Send what a shard has closed, as it goes over the wire; each time the last batch twice."""
    batches, shard.batches[:] = shard.batches[:], []
    for batch in batches:
        body = pack(Parcel(sender, NOON, [(batch.number, batch)]))
        for _ in range(2):
            taken = reception.take(unpack(body))
            tick.hurry()
            reception.settled(tick.open_number, frozenset())
            await reception.kept(taken, 0.0)


async def test_totals_coverage_and_key_figures_are_the_same_to_the_last_bit(loaded: LoadedSite) -> None:
    clock, random = Clock(), np.random.default_rng(7)
    plant = Plant(loaded.site, 1, NOON)
    one, head = (Process(loaded, clock, computes=True) for _ in range(2))
    shards = {index: Process(loaded, clock, computes=False) for index in range(1, SHARDS + 1)}
    reception = Reception(head.tick.accept_batch, lambda: head.tick.open_number)
    owners = shard_of(loaded)
    seen = set()
    for _ in range(400):
        clock.time += 10 * NANOSECONDS
        plant.advance(clock.time)
        for at, sample in scans(loaded, plant, clock.time, random):
            one.tick.accept(sample)
            shards[owners[at]].tick.accept(sample)
        order = random.permutation(list(shards))
        for index in order.tolist():
            shards[index].tick.close(clock.time)
            sender = Sender(index=index, count=SHARDS, catalogue="00" * 32, journal=f"{index:032x}")
            await hand_over(shards[index], sender, reception, head.tick)
        one.tick.close(clock.time)
        head.tick.close(clock.time)
        assert head.derived(loaded) == one.derived(loaded)
        seen.add(one.derived(loaded))
    assert len(seen) > 300, "the figures move"
    assert set(owners) == {1, 2}
    index = one.catalogue.index
    pue = one.image.values[index("campus.pue.3.1h.pue")]
    assert 1.0 < pue < 2.0
    assert head.image.values[index("campus.pue.3.1h.pue")] == pue
    assert 0.8 < one.image.values[index("campus.power_coverage")] < 1.0
