"""InfluxDB through its v2 write API, by influxdb-client; lines are our own. One HTTP attempt a call: who
calls decides on another.
"""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError  # what influxdb-client lets through from below

from facility.catalogue import Catalogue
from ingest.errors import StoreError, StoreRejectedError, StoreUnavailableError
from ingest.journal import JournalEntry
from ingest.line_protocol import LineEncoder, Lines

REQUEST_BYTES = 2 << 20
"""A request is closed when its lines pass this, uncompressed."""
TIMEOUT_SECONDS = 10.0

_MENDS = {
    401: "the token is not accepted; give a valid one",
    403: "the token may not write to this bucket; give it write permission",
    404: "there is no such organisation or bucket; create it or correct the name",
    413: "the request is larger than the server takes; raise its limit",
    429: "it asks for fewer writes; raise its quota",
}
_REJECTED = frozenset({400, 413, 422})
"""The same lines would be refused again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluxTarget:
    """Where to write, and as whom."""

    url: str
    org: str
    bucket: str
    token: str = field(repr=False, default="")
    timeout: float = TIMEOUT_SECONDS
    """Seconds for one request."""


class InfluxStore:
    """A bucket in InfluxDB 2 or in anything that has its write API."""

    def __init__(
        self, target: InfluxTarget, name: str = "influxdb", request_bytes: int = REQUEST_BYTES
    ) -> None:
        self._name = name
        self._target = target
        self._request_bytes = request_bytes
        self._client = InfluxDBClient(
            url=target.url,
            token=target.token,
            org=target.org,
            timeout=int(target.timeout * 1000),
            retries=False,
        )
        self._api = self._client.write_api(write_options=SYNCHRONOUS)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._encoder: tuple[Catalogue, LineEncoder] | None = None

    @property
    def name(self) -> str:
        """Under which its cursor is kept."""
        return self._name

    async def write(self, entries: Sequence[JournalEntry]) -> None:
        """Send these, in requests of bounded size.

        Raises:
            StoreUnavailableError: nothing is sure to be kept.
            StoreRejectedError: some requests were refused for their content, all others are kept.
        """
        await asyncio.get_running_loop().run_in_executor(self._executor, self._write, entries)

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.get_running_loop().run_in_executor(self._executor, self._client.close)
        self._executor.shutdown()

    def _write(self, entries: Sequence[JournalEntry]) -> None:
        refused: list[StoreRejectedError] = []
        for request in self._requests(entries):
            try:
                self._post(request)
            except StoreRejectedError as error:
                refused.append(error)
        if refused:
            points = sum(error.points for error in refused)
            raise StoreRejectedError(str(refused[0]), points=points, body=b"".join(e.body for e in refused))

    def _requests(self, entries: Sequence[JournalEntry]) -> Iterator[Lines]:
        pending: list[bytes] = []
        size = points = 0
        for lines in self._lines(entries):
            pending.append(lines.body)
            size += len(lines.body)
            points += lines.points
            if size >= self._request_bytes:
                yield Lines(b"".join(pending), points)
                pending, size, points = [], 0, 0
        if pending:
            yield Lines(b"".join(pending), points)

    def _lines(self, entries: Sequence[JournalEntry]) -> Iterator[Lines]:
        for entry in entries:
            if self._encoder is None or self._encoder[0] is not entry.catalogue:
                self._encoder = (entry.catalogue, LineEncoder(entry.catalogue))
            yield from self._encoder[1].encode(entry.batch)

    def _post(self, lines: Lines) -> None:
        target = self._target
        try:
            self._api.write(target.bucket, target.org, record=lines.body)  # times are in ns by default
        except ApiException as error:
            raise self._mapped(error, lines) from error
        except (InfluxDBError, HTTPError, OSError) as error:
            raise StoreUnavailableError(
                f"InfluxDB at {target.url} cannot be reached ({_reason(error)});"
                " start it or correct the address"
            ) from error

    def _mapped(self, error: ApiException, lines: Lines) -> StoreError:
        target, status = self._target, error.status
        said = " ".join(str(error.message).split())[:300]
        mend = _MENDS.get(status, "see its own log")
        message = f"InfluxDB at {target.url}, bucket {target.bucket}: HTTP {status} ({said}); {mend}"
        if status in _REJECTED:
            return StoreRejectedError(message, points=lines.points, body=lines.body)
        return StoreUnavailableError(message, retry_after=_seconds(error.retry_after))


def _reason(error: Exception) -> str:
    """What an error says, without the connection object that urllib3 puts before it."""
    return str(error).rpartition(">: ")[2]


def _seconds(header: str | None) -> float | None:
    """A ``Retry-After`` in seconds; dates are not taken."""
    try:
        return max(0.0, float(header)) if header is not None else None
    except ValueError:
        return None
