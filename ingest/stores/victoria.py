"""VictoriaMetrics, a single server: written by InfluxDB's v1 write API, read back by PromQL.

It keeps times to the millisecond and about 13 digits of a value, and names a series ``MEASUREMENT_FIELD``.
A line it cannot read it leaves out, counts and logs, with no word to the writer; one that is too long it
refuses.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson

from facility.quality import FIRST_GOOD, FIRST_UNCERTAIN, Quality
from ingest.stores import History
from ingest.stores.http_client import HttpClient, HttpTarget
from ingest.stores.read_back import Buckets, SeriesPlace, readings

_MENDS = {
    401: "user name or password are not accepted; give valid ones",
    403: "the user may not write here; give it the right",
    404: "there is nothing at this address; correct it",
    429: "it asks for fewer writes; raise its limits",
    503: "it takes nothing now; see whether its disk is full",
}
_MILLISECOND = 1_000_000
_STEPS_A_QUESTION = 10_000
_DOUBTFUL = tuple(int(code) for code in Quality if FIRST_UNCERTAIN <= code < FIRST_GOOD)


@dataclass(frozen=True, slots=True)
class _Grid:
    """Windows that begin a step apart, all in ns."""

    start: int
    step: int
    count: int
    window: int


class VictoriaServer:
    """A VictoriaMetrics server."""

    def __init__(self, target: HttpTarget) -> None:
        self._client = HttpClient(target, f"VictoriaMetrics at {target.url}", _MENDS)

    def post(self, body: bytes) -> None:
        """Write lines."""
        self._client.post("/write", {"precision": "ns"}, body)

    def history(self, place: SeriesPlace, start: int, stop: int, step: int | None) -> History:
        """What is stored of a series in ``[start, stop)``, or of each step the mean, of a counter the last.

        To the millisecond.
        """
        value, quality = _selector(place, place.field), _selector(place, place.quality_field)
        if step is None:
            codes = ((time, int(code)) for time, code in self._stored(quality, start, stop))
            return readings(self._stored(value, start, stop), codes)
        whole = (stop - start) // step
        told = _last if place.is_counter else _mean
        found = self._buckets(value, quality, _Grid(start, step, whole, step), told)
        if rest := (stop - start) % step:  # nothing from the stop on belongs to the last one
            last = self._buckets(value, quality, _Grid(start + whole * step, step, 1, rest), told)
            found = Buckets(found.values | last.values, found.usable | last.usable, found.worst | last.worst)
        return found.history(start, stop, step)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _buckets(self, value: str, quality: str, grid: _Grid, told: Callable[[str], str]) -> Buckets:
        window = f"[{_milliseconds(grid.window)}ms]"
        worst = f"min(min_over_time({quality}{window}))"
        usable = ",".join(
            f"(count_eq_over_time({quality}{window},{code}) > 0) * 0 + {code}" for code in _DOUBTFUL
        )
        return Buckets(
            dict(self._evaluated(told(f"{value}{window}"), grid)),
            {at: int(code) for at, code in self._evaluated(f"min({usable})", grid)},
            {at: int(code) for at, code in self._evaluated(worst, grid)},
        )

    def _stored(self, selector: str, start: int, stop: int) -> Iterator[tuple[int, float]]:
        """What is stored of a series in ``[start, stop)``."""
        if stop <= start:
            return
        query = {
            "match[]": selector,
            "start": _seconds(_milliseconds(start)),
            "end": _seconds(_milliseconds(stop) - 1),
        }
        for line in self._client.get("/api/v1/export", query).splitlines():
            found = orjson.loads(line)
            for time, value in zip(found["timestamps"], found["values"], strict=True):
                if value is not None:
                    yield time * _MILLISECOND, float(value)

    def _evaluated(self, expression: str, grid: _Grid) -> Iterator[tuple[int, float]]:
        """An expression over each window of a grid, by the window's start.

        A window ``[d]`` at t holds what is after t - d up to t: so each is looked at 1 ms before its end.
        """
        first_look = _milliseconds(grid.start + grid.window) - 1
        step = _milliseconds(grid.step)
        for first in range(0, grid.count, _STEPS_A_QUESTION):
            last = min(first + _STEPS_A_QUESTION, grid.count) - 1
            query = {
                "query": expression,
                "start": _seconds(first_look + first * step),
                "end": _seconds(first_look + last * step),
                "step": f"{step}ms",
                "nocache": "1",
            }
            answer = orjson.loads(self._client.get("/api/v1/query_range", query))
            for series in answer["data"]["result"]:
                for at, value in series["values"]:
                    number = round((at * 1000 - first_look) / step)
                    yield grid.start + number * grid.step, float(value)


def _mean(window: str) -> str:
    """Of all readings, those of a device that was moved in that time too."""
    return f"sum(sum_over_time({window})) / sum(count_over_time({window}))"


def _last(window: str) -> str:
    """The latest reading; of a device that was moved in that time, of where it is now."""
    latest = f"tlast_over_time({window}) == on() group_left() max(tlast_over_time({window}))"
    return f"max(last_over_time({window}) and ({latest}))"


def _selector(place: SeriesPlace, field: str) -> str:
    labels = (("__name__", f"{place.measurement}_{field}"), *place.tags)
    return "{" + ",".join(f"{key}={orjson.dumps(value).decode()}" for key, value in labels) + "}"


def _milliseconds(time: int) -> int:
    """Milliseconds of so many ns, upwards."""
    return -(-time // _MILLISECOND)


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds // 1000}.{milliseconds % 1000:03d}"
