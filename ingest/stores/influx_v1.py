"""InfluxDB 1.x, Enterprise clusters too: written by the v1 write API, read back by InfluxQL."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import orjson

from facility.catalogue import Catalogue
from facility.quality import FIRST_UNCERTAIN
from ingest.errors import StoreUnavailableError
from ingest.journal import JournalEntry
from ingest.stores import History
from ingest.stores.http_client import HttpClient, HttpTarget
from ingest.stores.line_output import LineOutput
from ingest.stores.line_writer import REQUEST_BYTES
from ingest.stores.read_back import Buckets, SeriesPlace, check_times, locate, readings, with_held

_MENDS = {
    401: "user name or password are not accepted; give valid ones",
    403: "the user may not use this database; grant it WRITE, and READ to be asked for history",
    404: "there is no such database; create it or correct the name",
    429: "it asks for fewer writes; raise its limits",
}

Rows = list[list[float | int | None]]
"""Rows of one answer: time, then one number a column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluxDatabase:
    """Where in a server the readings are kept."""

    database: str
    retention_policy: str = ""
    """Empty for the database's default."""


class InfluxV1Store:
    """A database in InfluxDB 1."""

    any_order = True

    def __init__(
        self,
        target: HttpTarget,
        place: InfluxDatabase,
        catalogue: Catalogue,
        name: str = "influxdb1",
        request_bytes: int = REQUEST_BYTES,
    ) -> None:
        """``catalogue`` says where the series that can be asked for lie."""
        self._name = name
        self._place = place
        self._catalogue = catalogue
        self._client = HttpClient(target, f"InfluxDB at {target.url}, database {place.database}", _MENDS)
        self._output = LineOutput(name, self._post, request_bytes)
        self._reader = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-read")

    @property
    def name(self) -> str:
        """Under which its cursor is kept."""
        return self._name

    def use(self, catalogue: Catalogue) -> None:
        """Answer for the series of another catalogue from now on."""
        self._catalogue = catalogue

    async def write(self, entries: Sequence[JournalEntry]) -> None:
        """Send these, in requests of bounded size.

        Raises:
            StoreUnavailableError: nothing is sure to be kept.
            StoreRejectedError: some lines were refused, all others are kept.
        """
        await self._output.write(entries)

    async def history(self, series: str, start: int, stop: int, step: int | None = None) -> History:
        """Readings of one series in ``[start, stop)``, or means of its usable values over each step.

        Raises:
            UnknownSeriesError: the site has no such series.
            StoreUnavailableError: the server does not answer.
            ValueError: the times are in the wrong order or ask for too many steps.
        """
        check_times(start, stop, step)
        place = locate(self._catalogue, series)
        ask = partial(self._history, place)
        work = lambda: with_held(place, ask, start, stop, step)  # noqa: E731
        return await asyncio.get_running_loop().run_in_executor(self._reader, work)

    async def close(self) -> None:
        """Close the connections."""
        await self._output.close()
        await asyncio.get_running_loop().run_in_executor(self._reader, self._client.close)
        self._reader.shutdown()

    def _post(self, body: bytes) -> None:
        query = {"db": self._place.database, "precision": "ns"}
        if self._place.retention_policy:
            query["rp"] = self._place.retention_policy
        self._client.post("/write", query, body)

    def _history(self, place: SeriesPlace, start: int, stop: int, step: int | None) -> History:
        value, quality = _quoted(place.field), _quoted(place.quality_field)
        source = f"FROM {self._source(place.measurement)} WHERE {_where(place, start, stop)}"
        if step is None:
            found = self._ask(f"SELECT {value} {source}", f"SELECT {quality} {source}")
            return readings(_pairs(found[0]), ((time, int(code)) for time, code in _pairs(found[1])))
        buckets = f"GROUP BY time({step}ns, {start % step}ns) fill(none)"
        means, usable, worst = self._ask(
            f"SELECT mean({value}) {source} {buckets}",
            f"SELECT min({quality}) {source} AND {quality} >= {FIRST_UNCERTAIN} {buckets}",
            f"SELECT min({quality}) {source} {buckets}",
        )
        return Buckets(dict(_pairs(means)), _codes(usable), _codes(worst)).history(start, stop, step)

    def _source(self, measurement: str) -> str:
        policy = self._place.retention_policy
        return f"{_quoted(policy)}.{_quoted(measurement)}" if policy else _quoted(measurement)

    def _ask(self, *statements: str) -> list[Rows]:
        """The rows of each statement."""
        query = {"db": self._place.database, "epoch": "ns", "q": "; ".join(statements)}
        results = orjson.loads(self._client.get("/query", query))["results"]
        if any("error" in result for result in results):
            if len(statements) > 1:
                self._ask(statements[0])  # of several it says only that they were not executed
            raise StoreUnavailableError(f"InfluxDB, database {self._place.database}: {results[0]['error']}")
        return [result["series"][0]["values"] if "series" in result else [] for result in results]


def _where(place: SeriesPlace, start: int, stop: int) -> str:
    tags = (f"{_quoted(key)} = {_text(value)}" for key, value in place.tags)
    return " AND ".join((f"time >= {start}", f"time < {stop}", *tags))


def _pairs(rows: Rows) -> list[tuple[int, float]]:
    return [(int(time), float(value)) for time, value in rows if time is not None and value is not None]


def _codes(rows: Rows) -> dict[int, int]:
    return {time: int(code) for time, code in _pairs(rows)}


def _quoted(name: str) -> str:
    """A name in InfluxQL."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _text(value: str) -> str:
    """A text in InfluxQL."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
