"""One HTTP server, spoken to from threads: compressed requests, credentials, and what goes wrong as errors.

One attempt a call: who calls decides on another.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from isal import isal_zlib
from urllib3 import PoolManager, Timeout
from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError, SSLError
from urllib3.response import BaseHTTPResponse

from ingest.errors import StoreError, StoreSlowError, StoreUnavailableError
from ingest.stores.answers import answer_error, is_page, not_a_store

TIMEOUT_SECONDS = 10.0
_GZIP = 31
_CONNECTIONS = 4
_NO_ERROR = 300
_BEGINNING = 100
_MOST_SAID = 64 << 10
"""Bytes of an error that are read."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTarget:
    """Where a server is, and as whom it is spoken to."""

    url: str
    """What all paths are appended to."""
    username: str = ""
    """With the password by basic authentication; empty for none."""
    password: str = field(repr=False, default="")
    token: str = field(repr=False, default="")
    """In place of those: a bearer token."""
    timeout: float = TIMEOUT_SECONDS
    """Seconds for one request."""
    tls_ca: Path | None = None
    """Certificates of the authorities to trust in place of the system's."""
    compress: bool | None = None
    """Whether what is written is compressed; None: unless it stays on this machine."""


class HttpClient:
    """Requests to one server, from any thread."""

    def __init__(self, target: HttpTarget, place: str, mends: Mapping[int, str]) -> None:
        """``place`` names the server in messages; ``mends`` say what a person has to do, by status."""
        self._target = target
        self._place = place
        self._mends = mends
        self._pool = PoolManager(
            maxsize=_CONNECTIONS,
            retries=False,
            timeout=Timeout(total=target.timeout),
            ca_certs=str(target.tls_ca) if target.tls_ca else None,
        )
        self._headers = _credentials(target)
        self._compress = wants_compression(target.url, told=target.compress)

    def post(self, path: str, query: Mapping[str, str], body: bytes) -> None:
        """Send lines, compressed if the target wants them so.

        Raises:
            RequestTooLargeError, RequestRefusedError: what the server says of the body.
            StoreUnavailableError: it cannot be reached or takes nothing now.
        """
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if self._compress:
            headers["Content-Encoding"] = "gzip"
        said = self._request("POST", path, query, packed(body) if self._compress else body, headers)
        if is_page(said[:_BEGINNING].decode(errors="replace")):
            raise not_a_store(self._place, "where it should say nothing")

    def send(self, path: str, body: bytes, content_type: str, *, compress: bool) -> bytes:
        """Send a body, compressed or as it is; returns what the server answers.

        Raises:
            RequestTooLargeError, RequestRefusedError: what the server says of the body.
            StoreUnavailableError: it cannot be reached or takes nothing now.
        """
        headers = {"Content-Type": content_type}
        if compress:
            headers["Content-Encoding"] = "gzip"
        return self._request("POST", path, {}, packed(body) if compress else body, headers)

    def get(self, path: str, query: Mapping[str, str]) -> bytes:
        """What the server answers.

        Raises:
            StoreUnavailableError: it cannot be reached or does not answer the question.
        """
        try:
            return self._request("GET", path, query, None, {})
        except StoreUnavailableError:
            raise
        except StoreError as error:
            raise StoreUnavailableError(str(error)) from error

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def _request(
        self, method: str, path: str, query: Mapping[str, str], body: bytes | None, headers: Mapping[str, str]
    ) -> bytes:
        asked = f"?{urlencode(query)}" if query else ""
        url = f"{self._target.url.rstrip('/')}{path}{asked}"
        try:
            response = self._pool.request(
                method, url, body=body, headers={**self._headers, **headers}, preload_content=False
            )
            if response.status < _NO_ERROR:
                return bytes(response.data)
            said = response.read(_MOST_SAID)
            response.close()  # whatever else it says: it may have no end
        except (HTTPError, OSError) as error:
            raise unreachable(self._place, error) from error
        raise self._answer_error(response, said.decode(errors="replace"))

    def _answer_error(self, response: BaseHTTPResponse, said: str) -> StoreError:
        return answer_error(self._place, response.status, said, self._mends, response.headers)


def packed(body: bytes) -> bytes:
    """The body as gzip, quickly."""
    packer = isal_zlib.compressobj(1, isal_zlib.DEFLATED, _GZIP)
    return packer.compress(body) + packer.flush()


def wants_compression(url: str, *, told: bool | None) -> bool:
    """Whether to compress what goes to a server, unless told: not what stays on this machine.

    There it costs both sides more than it saves.
    """
    if told is not None:
        return told
    host = urlsplit(url).hostname or ""
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def _credentials(target: HttpTarget) -> dict[str, str]:
    if target.token:
        return {"Authorization": f"Bearer {header_text(target.token)}"}
    if target.username:
        told = b64encode(f"{target.username}:{target.password}".encode()).decode()
        return {"Authorization": f"Basic {told}"}
    return {}


def header_text(text: str) -> str:
    """A text that goes as UTF-8 in a header, where each letter goes as one byte.

    Line ends and the like are left out: who refuses them shows the whole header, a secret in it too.
    """
    return _CONTROL.sub("", text).encode().decode("latin-1")


def unreachable(place: str, error: Exception) -> StoreUnavailableError:
    """The error of a server that no answer came from."""
    if _is_slow(error):
        mend = "see whether it is overloaded, or the line to it slow"
        return StoreSlowError(f"{place} does not answer in time ({_reason(error)})", mend=mend)
    mend = "start it or correct the address"
    if isinstance(error, SSLError) or "certificate" in str(error).lower():
        mend = "give it a certificate that is trusted here, or name its authority with tls_ca"
    return StoreUnavailableError(f"{place} cannot be reached ({_reason(error)})", mend=mend)


def _is_slow(error: Exception) -> bool:
    """Whether a connection was there, and time ran out while it was sent to or listened to."""
    causes = error.args[1:] if isinstance(error, ProtocolError) else ()
    return isinstance(error, ReadTimeoutError) or any(isinstance(each, TimeoutError) for each in causes)


def _reason(error: Exception) -> str:
    """What an error says, without the connection object that urllib3 puts before it and numbers of errors."""
    return re.sub(r"\[Errno -?\d+\] ", "", str(error).rpartition(">: ")[2])
