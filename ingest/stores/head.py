"""The head of a site, as a store of a shard: readings go there as they lie in the shard's journal."""

import asyncio
import uuid
from collections.abc import Sequence
from hashlib import blake2b

from facility.catalogue import Catalogue
from facility.clock import Clock
from ingest.catalogues import KeptCatalogue
from ingest.errors import RefusedLine, StoreError, StoreRejectedError, StoreUnavailableError
from ingest.journal_entries import JournalEntry
from ingest.parcels import Parcel, Sender, pack
from ingest.stores.http_client import HttpClient, HttpTarget
from ingest.translation import Translation

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


class HeadStore:
    """Sends readings to the head, and has them kept when the head's journal has them."""

    any_order = True
    name = "head"

    def __init__(
        self, target: HttpTarget, kept: KeptCatalogue, clock: Clock, *, index: int, count: int
    ) -> None:
        """``index`` of ``count`` is the share of the site that is sent; ``kept`` the site's catalogue."""
        self.url = target.url
        """Where the head is."""
        self._client = HttpClient(target, f"the head at {target.url}", _MENDS)
        self._kept = kept
        self._clock = clock
        self._index = index
        self._count = count
        self._process = uuid.uuid4().bytes
        self._translation = Translation(kept.catalogue, kept.catalogue)

    def use(self, kept: KeptCatalogue) -> None:
        """Another catalogue is the site's from now on."""
        self._kept = kept

    async def write(self, entries: Sequence[JournalEntry]) -> None:
        """Send these, those of an earlier site by what its points are called now.

        Raises:
            StoreUnavailableError: the head is not sure to have them.
            StoreRejectedError: some readings are of points that the site has no more; the rest is kept.
        """
        kept = self._kept
        sender = Sender(
            index=self._index,
            count=self._count,
            catalogue=kept.digest,
            journal=self._known_as(entries[0].journal),
        )
        refused: list[RefusedLine] = []

        def work() -> None:
            moved = []
            for entry in entries:
                translation = self._from(entry.catalogue, kept.catalogue)
                found = translation.apply(entry.batch)
                moved.append((entry.position, found.batch))
                if found.gone is not None:
                    refused.extend(translation.refused(found.gone))
            parcel = Parcel(sender, self._clock.now(), moved)
            self.send(READINGS_PATH, pack(parcel), compress=False)

        await asyncio.to_thread(work)
        if refused:
            raise StoreRejectedError(refused[0].reason, refused)

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

    def _known_as(self, journal: str) -> str:
        """Under which name the head remembers what it got of a journal: another one in each process.

        A machine may have been copied, or set back to an earlier state, and its journal with it: positions
        are then given a second time, to other readings.
        """
        return blake2b(bytes.fromhex(journal) + self._process, digest_size=16).hexdigest()

    def _from(self, source: Catalogue, target: Catalogue) -> Translation:
        """From one catalogue of the journal, which is one object for all entries of it, to the site's."""
        if self._translation.source is not source or self._translation.target is not target:
            self._translation = Translation(source, target)
        return self._translation
