"""A store whose server takes line protocol and can be asked, whatever it speaks."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

from facility.catalogue import Catalogue
from ingest.journal_entries import JournalEntry
from ingest.stores import History
from ingest.stores.line_output import LineOutput
from ingest.stores.line_writer import REQUEST_BYTES
from ingest.stores.read_back import SeriesPlace, check_times, locate, with_held


class LineServer(Protocol):
    """What differs from server to server; called from threads, one attempt a call."""

    def post(self, body: bytes) -> None:
        """Write lines.

        Raises:
            RequestTooLargeError, RequestRefusedError: what the server says of them.
            StoreUnavailableError: it cannot be reached or takes nothing now.
        """
        ...

    def history(self, place: SeriesPlace, start: int, stop: int, step: int | None) -> History:
        """What is stored of a series in ``[start, stop)``, ns, or what each step has: a
        mean, a counter's last.

        Raises:
            StoreUnavailableError: it cannot be reached or does not answer the question.
        """
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class LineStore:
    """One server as a store that answers for the past."""

    any_order = True

    def __init__(
        self, server: LineServer, catalogue: Catalogue, name: str, request_bytes: int = REQUEST_BYTES
    ) -> None:
        """``catalogue`` says where the series that can be asked for lie."""
        self._name = name
        self._server = server
        self._catalogue = catalogue
        self._output = LineOutput(name, server.post, request_bytes)
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
        """Readings of one series in ``[start, stop)``, or of its usable values what each step has.

        That is their mean, and the last of a counter.

        Raises:
            UnknownSeriesError: the site has no such series.
            StoreUnavailableError: the server does not answer.
            ValueError: the times are in the wrong order or ask for too many steps.
        """
        check_times(start, stop, step)
        place = locate(self._catalogue, series)
        ask = partial(self._server.history, place)
        work = partial(with_held, place, ask, start, stop, step)
        return await asyncio.get_running_loop().run_in_executor(self._reader, work)

    async def close(self) -> None:
        """Close the connections."""
        await self._output.close()
        await asyncio.get_running_loop().run_in_executor(self._reader, self._server.close)
        self._reader.shutdown()
