"""What a store's requests look like on the wire."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ingest.stores.http_client import HttpClient, HttpTarget, wants_compression

LINES = b"rack_pdu,device=a power=1.5 1\n" * 50


@contextmanager
def server() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Its address, and the encoding and the bytes of each request."""
    seen: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.headers.get("Content-Encoding", ""), body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    listening = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}", seen
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


def sent(*, compress: bool | None) -> tuple[str, bytes]:
    with server() as (url, seen):
        client = HttpClient(HttpTarget(url=url, compress=compress), "the store", {})
        client.post("/write", {"precision": "ns"}, LINES)
        client.close()
    [request] = seen
    return request


@pytest.mark.parametrize("compress", [None, False])
def test_lines_to_a_server_on_this_machine_go_as_they_are(*, compress: bool | None) -> None:
    assert sent(compress=compress) == ("", LINES)


def test_lines_are_compressed_where_that_is_wanted() -> None:
    encoding, body = sent(compress=True)
    assert encoding == "gzip"
    assert len(body) < len(LINES) / 4
    assert gzip.decompress(body) == LINES


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("http://127.0.0.1:8086", False),
        ("http://127.3.2.1:8086/path", False),
        ("http://[::1]:8428", False),
        ("https://localhost:8428", False),
        ("http://10.0.0.7:8086", True),
        ("http://[fd00::7]:8086", True),
        ("https://influx.example:8086", True),
        ("https://localhost.example:8086", True),
    ],
)
def test_only_what_leaves_this_machine_is_compressed_unless_told(url: str, *, wanted: bool) -> None:
    assert wants_compression(url, told=None) is wanted
    assert wants_compression(url, told=True) is True
    assert wants_compression(url, told=False) is False
