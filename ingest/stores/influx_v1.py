"""InfluxDB 1.x, Enterprise clusters too: written by the v1 write API, read back by InfluxQL."""

from dataclasses import dataclass

import orjson

from facility.quality import FIRST_UNCERTAIN
from ingest.errors import StoreUnavailableError
from ingest.stores import History
from ingest.stores.http_client import HttpClient, HttpTarget
from ingest.stores.read_back import Buckets, SeriesPlace, readings

_MENDS = {
    401: "user name or password are not accepted; give valid ones",
    403: "the user may not use this database; grant it WRITE, and READ to be asked for history",
    404: "there is no such database; create it or correct the name",
    429: "it asks for fewer writes; raise its limits",
}

Rows = list[list[float | int | str | None]]
"""Rows of one answer: time, then one number a column; a text where somebody else wrote one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluxDatabase:
    """Where in a server the readings are kept."""

    database: str
    retention_policy: str = ""
    """Empty for the database's default."""


class InfluxV1Server:
    """A database in InfluxDB 1."""

    def __init__(self, target: HttpTarget, place: InfluxDatabase) -> None:
        self._place = place
        self._client = HttpClient(target, f"InfluxDB at {target.url}, database {place.database}", _MENDS)

    def post(self, body: bytes) -> None:
        """Write lines; it says how many of them it refused."""
        query = {"db": self._place.database, "precision": "ns"}
        if self._place.retention_policy:
            query["rp"] = self._place.retention_policy
        self._client.post("/write", query, body)

    def history(self, place: SeriesPlace, start: int, stop: int, step: int | None) -> History:
        """What is stored of a series in ``[start, stop)``, or of steps the mean, of a counter the last."""
        value, quality = _quoted(place.field), _quoted(place.quality_field)
        source = f"FROM {self._source(place.measurement)} WHERE {_where(place, start, stop)}"
        if step is None:
            found = self._ask(f"SELECT {value} {source}", f"SELECT {quality} {source}")
            codes = self._numbers(place.quality_field, found[1])
            return readings(self._numbers(place.field, found[0]), ((time, int(code)) for time, code in codes))
        buckets = f"GROUP BY time({step}ns, {start % step}ns) fill(none)"
        told = "last" if place.is_counter else "mean"
        found = self._ask(
            f"SELECT {told}({value}) {source} {buckets}",
            f"SELECT min({quality}) {source} AND {quality} >= {FIRST_UNCERTAIN} {buckets}",
            f"SELECT min({quality}) {source} {buckets}",
        )
        values, usable, worst = found
        return Buckets(dict(_pairs(values)), _codes(usable), _codes(worst)).history(start, stop, step)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _numbers(self, name: str, rows: Rows) -> list[tuple[int, float]]:
        """Times and values of a field.

        Raises:
            StoreUnavailableError: somebody wrote texts into it.
        """
        try:
            return _pairs(rows)
        except ValueError as error:
            raise StoreUnavailableError(
                f"InfluxDB, database {self._place.database}: the field {name!r} is no number: {error}",
                mend="find out which other program writes it",
            ) from error

    def _source(self, measurement: str) -> str:
        policy = self._place.retention_policy
        return f"{_quoted(policy)}.{_quoted(measurement)}" if policy else _quoted(measurement)

    def _ask(self, *statements: str) -> list[Rows]:
        """The rows of each statement."""
        query = {"db": self._place.database, "epoch": "ns", "q": "; ".join(statements)}
        results = orjson.loads(self._client.get("/query", query))["results"]
        errors = [result["error"] for result in results if "error" in result]
        if errors:
            for each in statements if len(statements) > 1 else ():
                self._ask(each)  # of several it may say only that they were not executed
            raise StoreUnavailableError(f"InfluxDB, database {self._place.database}: {errors[0]}")
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
