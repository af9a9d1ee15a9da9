"""InfluxDB's v2 write API: what is sent, and what its answers mean."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aiohttp import web

from ingest.errors import StoreRejectedError, StoreUnavailableError
from ingest.journal_entries import JournalEntry
from ingest.stores.answers import is_page, seconds
from ingest.stores.http_client import HttpTarget
from ingest.stores.influx import InfluxStore
from ingest.stores.influx_v1 import InfluxDatabase, InfluxV1Server
from ingest.stores.line_store import LineStore
from tests.ingest.influx2 import TOKEN, target
from tests.ingest.plant import (
    GRID,
    NOON,
    SECOND,
    batch,
    catalogue,
    sample,
)
from tests.servers import processes
from tests.streams import stream_server

MILLISECOND = 1_000_000


Handler = Callable[[web.Request], Awaitable[web.Response]]


class Receiver:
    """A server that notes what it gets and answers what it is told to, then 204."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], str, bytes]] = []
        self.answers: list[web.Response] = []
        self.encodings: list[str] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "")
        self.encodings.append(request.headers.get("Content-Encoding", ""))
        self.requests.append((dict(request.query) | {"path": request.path}, token, await request.read()))
        return self.answers.pop(0) if self.answers else web.Response(status=204)

    @asynccontextmanager
    async def running(self, handler: Handler | None = None) -> AsyncIterator["Receiver"]:
        application = web.Application(client_max_size=1 << 28)
        application.router.add_route("*", "/{any:.*}", handler or self.handle)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


def entry(position: int, *values: float) -> JournalEntry:
    made = batch(NOON, sample(GRID, NOON + position * SECOND, values))
    return JournalEntry("one", position, catalogue(), made)


async def test_requests_are_those_of_the_v2_write_api() -> None:
    async with Receiver().running() as receiver:
        store = InfluxStore(target(receiver.url))
        await store.write([entry(1, 5.0, 6.0), entry(2, 7.0, 8.0)])
        await store.close()
    [(query, token, body)] = receiver.requests
    assert query == {"path": "/api/v2/write", "org": "org", "bucket": "plant", "precision": "ns"}
    assert token == f"Token {TOKEN}"
    head = "utility_meter,campus=campus,device=grid"
    assert body.decode() == (
        f"{head} active_power=5.0,active_energy=6.0 {NOON + SECOND}\n"
        f"{head} active_power=7.0,active_energy=8.0 {NOON + 2 * SECOND}\n"
    )


@pytest.mark.parametrize(("compress", "encoding"), [(None, "identity"), (False, "identity"), (True, "gzip")])
async def test_requests_are_compressed_unless_they_stay_on_this_machine(
    *, compress: bool | None, encoding: str
) -> None:
    async with Receiver().running() as receiver:
        store = InfluxStore(replace(target(receiver.url), compress=compress))
        await store.write([entry(1, 5.0, 6.0)])
        await store.close()
    [(_, _, body)] = receiver.requests  # the server has unpacked it
    head = "utility_meter,campus=campus,device=grid"
    assert body.decode() == f"{head} active_power=5.0,active_energy=6.0 {NOON + SECOND}\n"
    assert receiver.encodings == [encoding]


async def test_requests_are_bounded_in_size() -> None:
    async with Receiver().running() as receiver:
        store = InfluxStore(target(receiver.url), request_bytes=200)
        await store.write([entry(n, 5.0, 6.0) for n in range(5)])
        await store.close()
    assert [body.count(b"\n") for _, _, body in receiver.requests] == [2, 2, 1]


@pytest.mark.parametrize(
    ("status", "mend"),
    [
        (401, "give a valid one"),
        (403, "write permission"),
        (404, "create it or correct the name"),
        (429, "fewer writes"),
        (500, "its own log"),
        (503, "its own log"),
    ],
)
async def test_answers_that_can_be_mended_keep_the_data(status: int, mend: str) -> None:
    async with Receiver().running() as receiver:
        receiver.answers = [web.json_response({"code": "x", "message": "said so"}, status=status)]
        store = InfluxStore(target(receiver.url))
        with pytest.raises(StoreUnavailableError, match=mend) as caught:
            await store.write([entry(1, 5.0, 6.0)])
        await store.close()
    assert f"HTTP {status} (said so)" in str(caught.value)
    assert caught.value.retry_after is None
    assert len(receiver.requests) == 1, "the library must not try again by itself"


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("version", [1, 2])
async def test_a_web_page_is_no_judgement_on_the_readings(status: int, version: int) -> None:
    """Of a proxy, or of another program at that port: neither taken nor refused."""
    async with Receiver().running() as receiver:
        page = "<html><title>The plain HTTP request was sent to HTTPS port</title></html>"
        receiver.answers = [web.Response(status=status, text=page, content_type="text/html")]
        server = InfluxV1Server(HttpTarget(url=receiver.url), InfluxDatabase(database="plant"))
        store = LineStore(server, catalogue(), "v1") if version == 1 else InfluxStore(target(receiver.url))
        with pytest.raises(StoreUnavailableError, match=r"web page.*correct the address"):
            await store.write([entry(1, 5.0, 6.0)])
        await store.write([entry(1, 5.0, 6.0)])
        await store.close()


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("status", [200, 400, 503])
async def test_a_page_that_is_not_in_utf_8_is_no_judgement_on_the_readings(status: int, version: int) -> None:
    page = "<html><body>Zugriff über den Proxy gestört</body></html>".encode("latin-1")
    async with Receiver().running() as receiver:
        receiver.answers = [web.Response(status=status, body=page, content_type="text/html")]
        server = InfluxV1Server(HttpTarget(url=receiver.url), InfluxDatabase(database="plant"))
        old = LineStore(server, catalogue(), "v1")
        store = old if version == 1 else InfluxStore(target(receiver.url))
        with pytest.raises(StoreUnavailableError):
            await store.write([entry(1, 5.0, 6.0)])
        await store.close()


@pytest.mark.parametrize("version", [1, 2])
async def test_a_server_that_moved_is_not_followed_but_named(version: int) -> None:
    """As a proxy answers that wants https: the address of the site file is to be corrected."""
    async with Receiver().running() as receiver:
        moved = {"Location": "https://influx.example/write"}
        receiver.answers = [web.Response(status=301, text="<html>Moved</html>", headers=moved)]
        server = InfluxV1Server(HttpTarget(url=receiver.url), InfluxDatabase(database="plant"))
        store = LineStore(server, catalogue(), "v1") if version == 1 else InfluxStore(target(receiver.url))
        with pytest.raises(StoreUnavailableError) as caught:
            await store.write([entry(1, 5.0, 6.0)])
        await store.close()
    said = "HTTP 301 (it sends on to https://influx.example/write); correct the address"
    assert said in str(caught.value)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("17", 17.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("1e9", 3600.0),
        ("nan", None),
        ("Thu, 01 Jan 2026 12:00:42 GMT", 42.0),
        ("Thu, 01 Jan 2026 11:59:00 GMT", 0.0),
        ("Thu, 01 Jan 2026", None),
        ("soon", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Thu, 01 Jan 2026 00:00:00 +999999999999999999999", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, expected: float | None) -> None:
    assert seconds(header, datetime(2026, 1, 1, 12, tzinfo=UTC)) == expected


async def test_retry_after_is_read() -> None:
    async with Receiver().running() as receiver:
        receiver.answers = [web.Response(status=503, headers={"Retry-After": "17"})]
        store = InfluxStore(target(receiver.url))
        with pytest.raises(StoreUnavailableError) as caught:
            await store.write([entry(1, 5.0, 6.0)])
        await store.close()
    assert caught.value.retry_after == 17.0


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_refused_content_is_handed_back_and_the_rest_is_written(status: int) -> None:
    async with Receiver().running() as receiver:
        receiver.answers = [web.Response(status=204), web.json_response({"message": "no"}, status=status)]
        store = InfluxStore(target(receiver.url), request_bytes=10)
        with pytest.raises(StoreRejectedError) as caught:
            await store.write([entry(n, 5.0 + n, 6.0) for n in (1, 2, 3)])
        await store.close()
    assert len(receiver.requests) == 3
    [line] = caught.value.lines
    assert line.points == 2
    assert line.body == receiver.requests[1][2]
    assert b"active_power=7.0" in line.body
    assert line.reason == f"InfluxDB at {receiver.url}, bucket plant: HTTP {status} (no)"


@pytest.mark.parametrize("gateway", [False, True])
@pytest.mark.parametrize("version", [1, 2])
async def test_a_store_that_runs_out_of_time_is_sent_less_at_once(version: int, *, gateway: bool) -> None:
    """Sent the same again, it would never get on: 57 kB take it, or the gateway before it, too long."""
    sizes: list[int] = []
    over = asyncio.Event()

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        sizes.append(len(body))
        if len(body) > 20_000:
            if gateway:
                return web.Response(status=504)
            await over.wait()
        return web.Response(status=204)

    async with Receiver().running(take) as receiver:
        place = HttpTarget(url=receiver.url, timeout=0.5)
        server = InfluxV1Server(place, InfluxDatabase(database="plant"))
        old = LineStore(server, catalogue(), "v1")
        store = old if version == 1 else InfluxStore(target(receiver.url, timeout=0.5))
        lines = [entry(n, 5.0, 6.0) for n in range(600)]
        for said in ("in time" if not gateway else "HTTP 504",) * 2:
            with pytest.raises(StoreUnavailableError, match=said):
                await store.write(lines)
        await store.write(lines)
        over.set()
        await store.close()
    assert sizes[0] > 40_000
    assert sizes[1] <= sizes[0] / 2
    assert sum(sizes[2:]) == sizes[0]


async def keep_silent(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    """Answer nothing."""


async def test_nobody_listening_and_no_answer_are_losses() -> None:
    store = InfluxStore(target(f"http://127.0.0.1:{processes.free_port()}"))
    with pytest.raises(StoreUnavailableError, match="start it or correct the address"):
        await store.write([entry(1, 5.0, 6.0)])
    await store.close()
    async with stream_server(keep_silent) as port:
        store = InfluxStore(target(f"http://127.0.0.1:{port}", timeout=0.2))
        with pytest.raises(StoreUnavailableError, match="does not answer in time"):
            await store.write([entry(1, 5.0, 6.0)])
        await store.close()


async def test_a_connection_that_breaks_is_not_tried_again_by_the_library() -> None:
    connections = 0

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.close()

    async with stream_server(hang_up) as port:
        store = InfluxStore(target(f"http://127.0.0.1:{port}"))
        with pytest.raises(StoreUnavailableError):
            await store.write([entry(1, 5.0, 6.0)])
        await store.close()
    assert connections == 1


async def test_the_token_is_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with Receiver().running() as receiver:
        receiver.answers = [web.json_response({"message": "unauthorized"}, status=401)]
        store = InfluxStore(target(receiver.url))
        with pytest.raises(StoreUnavailableError) as caught:
            await store.write([entry(1, 5.0, 6.0)])
        await store.close()
    assert TOKEN not in str(caught.value)
    assert TOKEN not in repr(target(receiver.url))
    assert TOKEN not in caplog.text


def test_a_page_may_begin_with_a_byte_order_mark() -> None:
    assert is_page("\ufeff\r\n<!DOCTYPE html>")
