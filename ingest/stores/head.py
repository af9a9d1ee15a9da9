"""The head of a site, as a store of a shard: readings go there as they lie in the shard's journal."""

import asyncio
from collections.abc import Callable, Sequence

from facility.catalogue import Catalogue
from facility.clock import Clock
from ingest.errors import StoreError, StoreRejectedError, StoreUnavailableError
from ingest.journal import JournalEntry
from ingest.parcels import Parcel, Sender, pack
from ingest.stores.http_client import HttpClient, HttpTarget
from ingest.stores.translation import Translation

READINGS_PATH = "/api/v1/readings"
REPORTS_PATH = "/api/v1/reports"
CONTENT_TYPE = "application/octet-stream"
TIMEOUT_SECONDS = 15.0

_MENDS = {
    401: "give both the same token",
    404: "start it with --shards, or correct the address",
    409: "see what it says",
    421: "bind it to an outer address with --host, or name it as it is bound",
    429: "more readings wait there than it can journal; see its log",
    503: "its journal takes nothing now; see its log",
}

SenderOf = Callable[[str], Sender]
"""Who sends, by the identity of the journal that positions count in."""


class HeadStore:
    """Sends readings to the head, and has them kept when the head's journal has them."""

    any_order = True
    name = "head"

    def __init__(self, target: HttpTarget, catalogue: Catalogue, clock: Clock, sender: SenderOf) -> None:
        self.url = target.url
        """Where the head is."""
        self._client = HttpClient(target, f"the head at {target.url}", _MENDS)
        self._catalogue = catalogue
        self._clock = clock
        self._sender = sender
        self._translations: dict[int, Translation] = {}

    async def write(self, entries: Sequence[JournalEntry]) -> None:
        """Send these, those of an earlier site by what its points are called now.

        Raises:
            StoreUnavailableError: the head is not sure to have them.
            StoreRejectedError: some readings are of points that the site has no more; the rest is kept.
        """
        translated = [(entry, self._translation(entry.catalogue).apply(entry.batch)) for entry in entries]
        parcel = Parcel(
            self._sender(entries[0].journal),
            self._clock.now(),
            [(entry.position, found.batch) for entry, found in translated],
        )
        await asyncio.to_thread(lambda: self.send(READINGS_PATH, pack(parcel), compress=False))
        gone = [line for _, found in translated for line in found.gone]
        if gone:
            raise StoreRejectedError(gone[0].reason, gone)

    def send(self, path: str, body: bytes, *, compress: bool) -> bytes:
        """Send something else to the head, from any thread; returns what it answers.

        Raises:
            StoreUnavailableError: the head does not take it now, for whatever reason.
        """
        try:
            return self._client.send(path, body, CONTENT_TYPE, compress=compress)
        except StoreUnavailableError:
            raise
        except StoreError as error:
            raise StoreUnavailableError(str(error), mend="run one version of dcops on both") from error

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.to_thread(self._client.close)

    def _translation(self, catalogue: Catalogue) -> Translation:
        """From one catalogue of the journal, which is one object for all entries of it, to ours."""
        found = self._translations.get(id(catalogue))
        if found is None or found.source is not catalogue:
            found = Translation(catalogue, self._catalogue)
            self._translations = {id(catalogue): found}
        return found
