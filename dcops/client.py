"""Asks a running dcops over its API."""

import json
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from dcops.errors import DcopsError

DEFAULT_URL = "http://127.0.0.1:8080"
_TIMEOUT = 10.0

Json = dict[str, object]


class Client:
    """Asks a running dcops."""

    def __init__(self, url: str, timeout: float = _TIMEOUT) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._parts = urlsplit(self._url)

    def get(self, path: str) -> Json:
        """The answer of a path.

        Raises:
            DcopsError: there is none, or it is an error.
        """
        return self._ask("GET", path, None)

    def post(self, path: str, body: Json) -> Json:
        """The answer to a body.

        Raises:
            DcopsError: there is none, or it is an error.
        """
        return self._ask("POST", path, json.dumps(body).encode())

    def _ask(self, method: str, path: str, body: bytes | None) -> Json:
        try:
            connection = self._connection()
            try:
                connection.request(
                    method, self._parts.path + path, body, {"Content-Type": "application/json"}
                )
                answer = connection.getresponse()
                status, content = answer.status, answer.read()
            finally:
                connection.close()
        except (OSError, HTTPException) as error:
            said = (error.strerror if isinstance(error, OSError) else "") or error
            raise DcopsError(
                f"nothing answers at {self._url}: {said}; start dcops, or give its --url"
            ) from error
        try:
            found: Json = json.loads(content)
            if status == HTTPStatus.OK:
                return found
            told = found["error"]
        except (ValueError, KeyError, TypeError):
            told = None
        if isinstance(told, dict):
            raise DcopsError(f"{told['message']}; {told['mend']}")
        raise DcopsError(f"{self._url} does not answer like dcops ({status}); check --url")

    def _connection(self) -> HTTPConnection:
        try:
            host, port = self._parts.hostname or "", self._parts.port
        except ValueError:
            host, port = "", None
        if not host or self._parts.scheme not in {"http", "https"}:
            raise DcopsError(f"{self._url} is no address of a dcops; write http://HOST:PORT")
        kind = HTTPSConnection if self._parts.scheme == "https" else HTTPConnection
        return kind(host, port, timeout=self._timeout)
