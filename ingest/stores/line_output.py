"""Journal entries as lines to a store, on a thread of its own, so that the event loop goes on."""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from facility.catalogue import Catalogue
from ingest.journal_entries import JournalEntry
from ingest.line_protocol import LineEncoder, Lines
from ingest.stores.line_writer import REQUEST_BYTES, LineWriter, Post


class LineOutput:
    """What all stores that take line protocol have in common."""

    def __init__(self, name: str, post: Post, request_bytes: int = REQUEST_BYTES) -> None:
        self._writer = LineWriter(post, request_bytes)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._encoder: tuple[Catalogue, LineEncoder] | None = None

    async def write(self, entries: Sequence[JournalEntry]) -> None:
        """Send these, in requests of bounded size.

        Raises:
            StoreUnavailableError: nothing is sure to be kept.
            StoreRejectedError: some lines were refused, all others are kept.
        """
        work = lambda: self._writer.write(self._lines(entries))  # noqa: E731
        await asyncio.get_running_loop().run_in_executor(self._executor, work)

    async def close(self) -> None:
        """Wait for what is under way and let the thread go."""
        await asyncio.get_running_loop().run_in_executor(self._executor, lambda: None)
        self._executor.shutdown()

    def _lines(self, entries: Sequence[JournalEntry]) -> Iterator[Lines]:
        for entry in entries:
            if self._encoder is None or self._encoder[0] is not entry.catalogue:
                self._encoder = (entry.catalogue, LineEncoder(entry.catalogue))
            yield from self._encoder[1].encode(entry.batch)
