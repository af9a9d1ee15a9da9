"""What a store's requests look like on the wire."""

import asyncio
import gzip

import pytest

from ingest.errors import StoreUnavailableError
from ingest.stores.http_client import HttpClient, HttpTarget, wants_compression
from tests.ingest.taking import taking
from tests.streams import stream_server

LINES = b"rack_pdu,device=a power=1.5 1\n" * 50


def sent(*, compress: bool | None) -> tuple[str, bytes]:
    """The encoding and the bytes of a request."""
    with taking() as (url, seen):
        client = HttpClient(HttpTarget(url=url, compress=compress), "the store", {})
        client.post("/write", {"precision": "ns"}, LINES)
        client.close()
    [(headers, body)] = seen
    return headers.get("Content-Encoding", ""), body


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


async def test_of_a_huge_error_only_the_beginning_is_read() -> None:
    sent = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 500 no\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(100):
            writer.write(b"x" * 1_000_000)
            await writer.drain()
            sent += 1_000_000

    async with stream_server(answer) as port:
        client = HttpClient(HttpTarget(url=f"http://127.0.0.1:{port}"), "the store", {})
        with pytest.raises(StoreUnavailableError, match="HTTP 500"):
            await asyncio.to_thread(client.post, "/write", {}, LINES)
        client.close()
    assert sent < 50_000_000
