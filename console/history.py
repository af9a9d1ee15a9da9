"""What was stored of a series, bounded in span, in number and in how many ask at once."""

import asyncio
import logging
from math import ceil

import numpy as np

from console.context import ConsoleContext
from console.errors import BadRequestError, UnavailableError
from console.models import HistoryAnswer
from console.parameters import Arguments
from console.points import find_series
from console.readings import number
from console.times import parse_step, parse_time, write_time
from facility.sample import NANOSECONDS
from ingest.errors import StoreUnavailableError, UnknownSeriesError
from ingest.stores import History

DEFAULT_SPAN = 3600 * NANOSECONDS
LONGEST_RAW = 24 * 3600 * NANOSECONDS
"""Readings as stored are given for this long a span at most."""
MOST_BUCKETS = 5000
USUAL_BUCKETS = 360
"""About as many buckets as a caller gets who names no step."""
_STEPS = (1, 10, 30, 60, 300, 900, 3600, 4 * 3600, 86400, 7 * 86400)
_MOST_AT_ONCE = 4
_PATIENCE = 15.0
_NOTHING = History(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0, dtype=np.uint8))

_LOGGER = logging.getLogger(__name__)


class HistoryReader:
    """Answers from the history."""

    def __init__(self, view: ConsoleContext) -> None:
        self._view = view
        self._turns = asyncio.Semaphore(_MOST_AT_ONCE)
        self._lost = False

    async def read(self, arguments: Arguments) -> HistoryAnswer:
        """One series from start to stop.

        Raises:
            NotFoundError: there is no such series.
            BadRequestError: times or step make no sense, or ask for too much.
            UnavailableError: the history cannot answer now.
        """
        series = arguments.given("series")
        group_id, offset = find_series(self._view, series)
        start, stop = self._span(arguments)
        step = _step(arguments.text("step"), stop - start)
        if step is not None:
            start -= start % step  # stored buckets begin at whole steps; they are read, not made anew
        try:
            async with asyncio.timeout(_PATIENCE), self._turns:
                found = await self._view.history(series, start, stop, step)
        except UnknownSeriesError:
            found = _NOTHING
        except (StoreUnavailableError, TimeoutError) as error:
            why = str(error) or f"no answer within {_PATIENCE:.0f} s"
            self._note_loss(why)
            raise UnavailableError(
                "history_unavailable", f"the history can't be read now: {why}", "try again; see /readyz"
            ) from error
        self._lost = False
        return HistoryAnswer(
            series=series,
            unit=self._view.catalogue.group(group_id).fields[offset].unit,
            start=write_time(start),
            stop=write_time(stop),
            step=step / NANOSECONDS if step is not None else None,
            resolution=found.resolution / NANOSECONDS,
            times=tuple((found.times // 1_000_000).tolist()),
            values=tuple(number(value) for value in found.values.tolist()),
            quality=tuple(found.quality.tolist()),
            held=tuple(found.held.tolist()) if found.held is not None else None,
            hold=found.hold / NANOSECONDS if found.held is not None else None,
        )

    def _span(self, arguments: Arguments) -> tuple[int, int]:
        given_start, given_stop = arguments.text("start"), arguments.text("stop")
        stop = parse_time("stop", given_stop) if given_stop else self._view.clock.now()
        start = parse_time("start", given_start) if given_start else stop - DEFAULT_SPAN
        if start >= stop:
            raise BadRequestError("empty_span", "start is not before stop", "give a start before the stop")
        return start, stop

    def _note_loss(self, why: str) -> None:
        if not self._lost:
            _LOGGER.warning("history can't be read: %s", why)
        self._lost = True


def _step(given: str | None, span: int) -> int | None:
    """Bucket length in ns; None for readings as stored."""
    if given == "raw":
        if span > LONGEST_RAW:
            raise BadRequestError(
                "too_much", "step=raw is for 24 h at most", "ask for a shorter span or name a step such as 1m"
            )
        return None
    if given is None:
        usual = span / NANOSECONDS / USUAL_BUCKETS
        return (
            next((step for step in _STEPS if step >= usual), _STEPS[-1] * ceil(usual / _STEPS[-1]))
            * NANOSECONDS
        )
    step = parse_step(given)
    if span / step > MOST_BUCKETS:
        least = ceil(span / MOST_BUCKETS / NANOSECONDS)
        raise BadRequestError(
            "too_much",
            f"step={given} makes more than {MOST_BUCKETS} buckets",
            f"give a step of {least}s or more",
        )
    return step
