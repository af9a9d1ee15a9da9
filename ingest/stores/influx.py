"""InfluxDB through its v2 write API, by influxdb-client; lines are our own. One HTTP attempt a call: who
calls decides on another.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService
from urllib3.exceptions import HTTPError  # what influxdb-client lets through from below

from ingest.errors import StoreError
from ingest.journal_entries import JournalEntry
from ingest.stores.answers import answer_error, not_a_store
from ingest.stores.http_client import header_text, packed, unreachable, wants_compression
from ingest.stores.line_output import LineOutput
from ingest.stores.line_writer import REQUEST_BYTES

TIMEOUT_SECONDS = 10.0

_MENDS = {
    401: "the token is not accepted; give a valid one",
    403: "the token may not write to this bucket; give it write permission",
    404: "there is no such organisation or bucket; create it or correct the name",
    429: "it asks for fewer writes; raise its quota",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluxTarget:
    """Where to write, and as whom."""

    url: str
    org: str
    bucket: str
    token: str = field(repr=False, default="")
    timeout: float = TIMEOUT_SECONDS
    """Seconds for one request."""
    tls_ca: Path | None = None
    """Certificates of the authorities to trust in place of the system's."""
    compress: bool | None = None
    """Whether what is written is compressed; None: unless it stays on this machine."""


class InfluxStore:
    """A bucket in InfluxDB 2 or in anything that has its write API."""

    any_order = True

    def __init__(
        self, target: InfluxTarget, name: str = "influxdb", request_bytes: int = REQUEST_BYTES
    ) -> None:
        self._name = name
        self._target = target
        self._client = InfluxDBClient(
            url=target.url,
            token=header_text(target.token),
            org=target.org,
            timeout=int(target.timeout * 1000),
            retries=False,
            ssl_ca_cert=str(target.tls_ca) if target.tls_ca else None,
        )
        self._service = WriteService(self._client.api_client)  # type: ignore[no-untyped-call] # it has no types
        self._encoding = "gzip" if wants_compression(target.url, told=target.compress) else "identity"
        self._output = LineOutput(name, self._post, request_bytes)

    @property
    def name(self) -> str:
        """Under which its cursor is kept."""
        return self._name

    async def write(self, entries: Sequence[JournalEntry]) -> None:
        """Send these, in requests of bounded size.

        Raises:
            StoreUnavailableError: nothing is sure to be kept.
            StoreRejectedError: some lines were refused, all others are kept.
        """
        await self._output.write(entries)

    async def close(self) -> None:
        """Close the connections."""
        await self._output.close()
        await asyncio.to_thread(self._client.close)

    def _post(self, body: bytes) -> None:
        target = self._target
        try:
            _, _, headers = self._service.post_write_with_http_info(  # type: ignore[no-untyped-call]
                target.org,
                target.bucket,
                packed(body) if self._encoding == "gzip" else body,
                precision="ns",
                content_type="text/plain; charset=utf-8",
                content_encoding=self._encoding,
            )
        except ApiException as error:
            raise self._answer_error(error) from error
        except UnicodeDecodeError as error:  # influxdb-client reads every answer as UTF-8, of any status
            raise not_a_store(self._place, "which is not in UTF-8") from error
        except (InfluxDBError, HTTPError, OSError) as error:
            raise unreachable(f"InfluxDB at {target.url}", error) from error

        if headers.get("Content-Type", "").startswith("text/html"):
            raise not_a_store(self._place, "where it should say nothing")

    @property
    def _place(self) -> str:
        return f"InfluxDB at {self._target.url}, bucket {self._target.bucket}"

    def _answer_error(self, error: ApiException) -> StoreError:
        return answer_error(
            self._place, int(error.status or 0), str(error.message), _MENDS, error.headers or {}
        )
