"""From a broker to the journal: subscriber, tick and journal of a few devices.

Run as a program, it is what gets killed: ``python -m tests.collectors.mqtt_pipeline PORT FOLDER [HOW]``
prints whether it is connected and how many samples it has accepted and journalled readings of. With ``stuck``
its journal never answers; with ``mute`` it acknowledges nothing.
"""

import asyncio
import json
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from collectors.collection import Collection
from collectors.config import CollectionPlan, MqttBinding, MqttBroker
from collectors.health import EndpointHealth
from collectors.keeping import Keeping, SetAside
from collectors.mqtt_connection import Connection
from collectors.profiles import MqttProfile
from collectors.profiles.reader import shipped
from facility.catalogue import build_catalogue
from facility.devices import Device
from facility.sample import Sample
from facility.site import Site
from facility.spaces import Level, Space
from ingest.batch import Batch
from ingest.journal import Journal
from ingest.live_image import LiveImage
from ingest.spool import MEMORY_LIMIT, Spool
from ingest.staleness import StalenessPlan
from ingest.tick import Tick
from tests.collectors.conftest import WallClock

DEVICES = 10
POINTS = 2
TICK = 200_000_000
STORE = "store"


def climate_profile() -> MqttProfile:
    found = shipped()["rack-climate"]
    assert isinstance(found, MqttProfile)
    return found


def climate_site() -> Site:
    profile = climate_profile()
    spaces = (
        Space(id="campus", level=Level.CAMPUS, parent=None, name="Campus"),
        Space(id="k1", level=Level.RACK, parent="campus", name="Rack 1"),
    )
    devices = tuple(
        Device(id=f"c{at}", kind=profile.kind, space="k1", points=profile.points, period=1.0)
        for at in range(DEVICES)
    )
    return Site(name="Test", spaces=spaces, devices=devices)


def topic(device: int) -> str:
    return f"site/c{device}"


def message(number: int) -> tuple[str, str]:
    """Topic and payload of a message: the number is in its value and in its source time."""
    values = {"ts": 1_767_268_800_000 + number, "temperature": number / 1000.0, "humidity": 40.0}
    return topic(number % DEVICES), json.dumps(values)


def reading(number: int) -> tuple[int, int, float]:
    """Point, time and value that message becomes."""
    return POINTS * (number % DEVICES), (1_767_268_800_000 + number) * 1_000_000, number / 1000.0


def open_journal(folder: Path) -> Journal:
    return Journal(folder / "journal.sqlite", build_catalogue(climate_site()), (STORE,))


def journalled(folder: Path) -> list[tuple[int, int, float]]:
    """Point, time and value of the temperatures in a journal nobody has open."""
    journal = open_journal(folder)
    found: list[tuple[int, int, float]] = []
    for entry in journal.read(STORE, 100_000_000):
        each = entry.batch.expand()
        rows = zip(each.points.tolist(), each.times.tolist(), each.values.tolist(), strict=True)
        found.extend(row for row in rows if row[0] % POINTS == 0 and row[0] < POINTS * DEVICES)
    journal.close()
    return found


class SlowJournal(Journal):
    """Appends once it is let."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "journal.sqlite", build_catalogue(climate_site()), (STORE,))
        self.let = threading.Event()

    def append(self, batches: Sequence[Batch]) -> None:
        self.let.wait()
        super().append(batches)


class Pipeline:
    def __init__(
        self,
        port: int,
        journal: Journal,
        *,
        memory_limit: int = MEMORY_LIMIT,
        commit: float = 0.0,
        set_aside: SetAside | None = None,
        **broker: object,
    ) -> None:
        site, profile = climate_site(), climate_profile()
        words = {"client_id": "pipeline", **broker}
        plan = CollectionPlan(
            brokers=(MqttBroker(id="broker", host="127.0.0.1", port=port, **words),),  # type: ignore[arg-type]
            mqtt=tuple(
                MqttBinding(
                    device=f"c{at}",
                    first=POINTS * at,
                    broker="broker",
                    topic=topic(at),
                    period=1.0,
                    profile=profile,
                )
                for at in range(DEVICES)
            ),
        )
        clock = WallClock()
        self._journal = journal
        self.samples: list[Sample] = []
        self.spool = Spool(journal, (STORE,), clock, memory_limit, commit)
        self.tick = Tick(
            image=LiveImage(build_catalogue(site).point_count),
            staleness=StalenessPlan(site, frozenset(device.id for device in site.devices)),
            device_points=site.point_count,
            clock=clock,
            hand_over=self.spool.put,
        )
        keeping = Keeping(
            number=lambda: self.tick.open_number,
            hurry=self._hurry,
            note=self.spool.note,
            recall=self.spool.recall,
            listen=self.spool.on_settled,
        )
        self.collection = Collection(plan, clock, self._accept, keeping=keeping, set_aside=set_aside)

    @property
    def health(self) -> EndpointHealth:
        return self.collection.endpoints()[0]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run; at the end stop in order, as the platform does."""
        spool = asyncio.create_task(self.spool.run())
        tick = asyncio.create_task(self.tick.run(TICK))
        collection = asyncio.create_task(self.collection.run())
        try:
            yield
        finally:
            if isinstance(self._journal, SlowJournal):
                self._journal.let.set()
            for task in (collection, tick, spool):
                task.cancel()
                await asyncio.wait([task])
            await self.spool.close()

    def _hurry(self) -> None:
        self.tick.hurry()
        self.spool.hurry()

    def _accept(self, sample: Sample) -> None:
        self.samples.append(sample)
        self.tick.accept(sample)


async def main(port: int, folder: Path, *, stuck: bool, mute: bool) -> None:
    if mute:
        Connection.acknowledge = lambda *_: None
    journal = SlowJournal(folder) if stuck else open_journal(folder)
    pipeline = Pipeline(port, journal, in_flight=100)
    async with pipeline.running():
        told = ""
        while True:
            state = f"{pipeline.health.state} {len(pipeline.samples)} {pipeline.spool.stats.appended}"
            if state != told:
                told = state
                print(state, flush=True)  # noqa: T201
            await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2]), stuck="stuck" in sys.argv, mute="mute" in sys.argv))
