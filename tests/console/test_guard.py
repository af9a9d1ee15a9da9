import asyncio
import gzip
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from console.app import build_app
from console.guard import Hosts, allowed_hosts
from console.sending import Answer
from console.server import serve
from console.showing import Showing
from tests.console.pages import serving
from tests.console.plant import Plant
from tests.console.test_nodes import get

PATIENCE = 60.0


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST:1"])
async def test_loopback_names_are_served(client: TestClient, host: str) -> None:
    async with client.get("/healthz", headers={"Host": host}) as response:
        assert response.status == 200
        assert await response.json() == {"status": "alive"}


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8080", "169.254.169.254", ""])
async def test_another_host_name_is_refused_on_every_path(client: TestClient, host: str) -> None:
    for path in ("/", "/api/v1/nodes", "/metrics", "/static/app.js", "/nowhere"):
        async with client.get(path, headers={"Host": host}) as response:
            assert response.status == 421
            assert (await response.json())["error"]["code"] == "wrong_host"


async def test_any_name_is_served_where_bound_to_an_outer_address(plant: Plant) -> None:
    assert allowed_hosts("0.0.0.0") is None
    assert allowed_hosts("127.0.0.1") == Hosts(frozenset({"localhost", "127.0.0.1", "::1"}))
    assert allowed_hosts("127.0.0.2") == Hosts(frozenset({"localhost", "127.0.0.1", "::1", "127.0.0.2"}))
    assert allowed_hosts("localhost") == Hosts(frozenset({"localhost", "127.0.0.1", "::1"}))
    async with (
        plant.client(hosts=None) as client,
        client.get("/healthz", headers={"Host": "noc.example"}) as response,
    ):
        assert response.status == 200


@pytest.mark.parametrize(
    ("bound", "host", "status"),
    [
        ("0.0.0.0", "noc.example", 200),
        ("0.0.0.0", "NOC.example:8443", 200),
        ("0.0.0.0", "localhost:8080", 200),
        ("0.0.0.0", "10.0.0.5:8080", 200),  # as kubelets and Prometheus ask
        ("0.0.0.0", "[fd00::5]:8080", 200),
        ("0.0.0.0", "evil.example", 421),
        ("0.0.0.0", "noc.example.evil.example", 421),
        ("0.0.0.0", "10.0.0.5.evil.example", 421),
        ("0.0.0.0", "", 421),
        ("127.0.0.1", "noc.example", 200),
        ("127.0.0.1", "10.0.0.5", 421),
    ],
)
async def test_names_that_are_allowed_are_the_only_ones_served_whatever_it_is_bound_to(
    plant: Plant, bound: str, host: str, status: int
) -> None:
    async with (
        serving(plant, host=bound, names=frozenset({"noc.example"})) as port,
        aiohttp.ClientSession() as session,
    ):
        for path in ("/", "/api/v1/nodes", "/metrics"):
            async with session.get(f"http://127.0.0.1:{port}{path}", headers={"Host": host}) as answer:
                assert answer.status == status
                if status != 200:
                    told = (await answer.json())["error"]
                    assert told["message"] == f"this server is not {host!r}"
                    assert told["mend"].endswith("with this name in --allowed-hosts (DCOPS_ALLOWED_HOSTS)")


@pytest.mark.parametrize("path", ["/", "/static/app.js", "/api/v1/nodes", "/metrics", "/nowhere", "/readyz"])
async def test_every_response_carries_the_security_headers(client: TestClient, path: str) -> None:
    async with client.get(path) as response:
        policy = response.headers["Content-Security-Policy"].split("; ")
        assert policy[0] == "default-src 'self'"
        assert {"object-src 'none'", "frame-ancestors 'none'", "trusted-types 'none'"} <= set(policy)
        assert response.headers["Server"] == "dcops"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_who_hangs_up_in_the_middle_of_an_answer_is_no_error(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with plant.client() as client:

        def overview(_: frozenset[str] | None = None) -> Iterator[bytes]:
            yield b"dcops_up 1\n"
            for connection in client.server.runner.server.connections:
                connection.transport.close()
            yield b"dcops_up 1\n"

        monkeypatch.setattr(plant.metrics, "overview", overview)
        with pytest.raises(aiohttp.ClientPayloadError):
            await read_all(client, "/metrics")
        async with client.get("/healthz") as response:
            assert response.status == 200
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def wait_until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - connections set no event
            await asyncio.sleep(0.01)


async def read_all(client: TestClient, path: str) -> bytes:
    async with client.get(path) as response:
        return await response.read()


async def test_who_hangs_up_in_the_middle_of_a_request_is_no_error(
    plant: Plant, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "console.guard")
    async with serving(plant) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST /api/v1/site/reload HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        await writer.drain()
        writer.close()
        await wait_until(lambda: "has gone" in caplog.text)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_reader_that_takes_nothing_is_dropped(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.sending.STALLED", 0.2)
    made: list[int] = []

    def overview(_: frozenset[str] | None = None) -> Iterator[bytes]:
        for number in range(1000):
            made.append(number)
            yield b"x" * 1_000_000

    monkeypatch.setattr(plant.metrics, "overview", overview)
    async with plant.client() as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port, limit=1024)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        connections = client.server.runner.server.connections
        await wait_until(lambda: made)
        await wait_until(lambda: not client.server.runner.server.connections)
        assert len(made) < 100
        assert len(connections) == 1
        writer.transport.abort()
        assert reader


async def test_a_reader_that_takes_nothing_of_an_answer_is_dropped_and_the_answer_let_go(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("console.sending.STALLED", 0.2)
    caplog.set_level(logging.INFO, "console.sending")
    view = replace(plant.view(), site=replace(plant.site, name="x" * 50_000_000))
    async with TestClient(TestServer(build_app(Showing(view)))) as client:
        _, writer = await asyncio.open_connection("127.0.0.1", client.port, limit=1024)
        writer.write(b"GET /api/v1/nodes HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await wait_until(lambda: client.server.runner.server.connections)
        await wait_until(lambda: not client.server.runner.server.connections)
        assert [record.message for record in caplog.records] == [
            "127.0.0.1 dropped from /api/v1/nodes: it took nothing for 0 s"
        ]
        writer.transport.abort()
        assert len(await read_all(client, "/api/v1/nodes")) > 50_000_000


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the kernel has no such timeout")
async def test_who_asks_on_and_on_and_takes_nothing_is_cut_off(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer is small, but what is not taken of them would stay."""
    monkeypatch.setattr("console.sending.UNTAKEN", 0.5)
    async with serving(plant) as port:
        loop = asyncio.get_running_loop()
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(0)
            await loop.sock_connect(client, ("127.0.0.1", port))
            asking = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 100
            async with asyncio.timeout(PATIENCE):
                with suppress(ConnectionError):
                    while True:
                        await loop.sock_sendall(client, asking)
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}/healthz") as answer,
        ):
            assert answer.status == 200


async def test_a_reader_that_takes_its_time_gets_all_of_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.sending.STALLED", 0.001)
    left = [900, 900, 600, 599, 1]
    sent = asyncio.get_running_loop().create_future()

    class Transport:
        def get_write_buffer_size(self) -> int:
            if len(left) == 1:
                sent.set_result(None)
            return left.pop()

        def abort(self) -> None:
            dropped.append(True)

    dropped: list[bool] = []
    asker = cast("web.BaseRequest", SimpleNamespace(transport=Transport(), remote="x", path="/"))
    left.reverse()
    with pytest.raises(aiohttp.ClientConnectionResetError):
        await Answer.watch(asker, sent)
    assert (left, dropped) == ([1, 599, 600], [True])
    await Answer.watch(asker, sent)
    assert (left, dropped) == ([], [True])


@pytest.mark.parametrize("sent", [b"BLAH\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\x00y\r\n\r\n"])
async def test_what_is_no_request_is_refused_and_fills_no_log(
    plant: Plant, caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    async with serving(plant) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        async with asyncio.timeout(PATIENCE):
            assert (await reader.read()).split(b" ")[1] == b"400"
        writer.close()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_nothing_can_be_written(client: TestClient, method: str) -> None:
    for path in ("/api/v1/nodes", "/api/v1/alarms", "/api/v1/stream", "/", "/metrics"):
        async with client.request(method, path) as response:
            assert response.status == 405
            assert "GET" in response.headers["Allow"]
            assert (await response.json())["error"]["code"] == "method_not_allowed"


async def test_a_query_that_is_too_long_is_refused(client: TestClient) -> None:
    answer = await get(client, f"/api/v1/points?device={'x' * 5000}", 414)
    assert answer["error"]["code"] == "query_too_long"


async def test_large_answers_are_compressed_for_those_who_can(client: TestClient) -> None:
    client.session._auto_decompress = False
    async with client.get("/api/v1/nodes", headers={"Accept-Encoding": "gzip"}) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert response.headers["Vary"] == "Accept-Encoding"
        assert gzip.decompress(await response.read()).startswith(b'{"site"')
    async with client.get("/healthz", headers={"Accept-Encoding": "gzip"}) as response:
        assert "Content-Encoding" not in response.headers
    async with client.get("/api/v1/nodes", headers={"Accept-Encoding": "identity"}) as response:
        assert "Content-Encoding" not in response.headers


async def test_a_fault_inside_is_500_without_its_text(plant: Plant, caplog) -> None:
    def broken() -> None:
        raise RuntimeError("secret inside")

    plant.board.active = broken
    async with plant.client() as client:
        answer = await get(client, "/api/v1/alarms", 500)
    assert answer["error"]["code"] == "internal_error"
    assert "secret inside" not in str(answer)
    assert "secret inside" in caplog.text


async def test_the_page_is_served_once_and_then_from_the_browsers_store(client: TestClient) -> None:
    async with client.get("/") as response:
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert 'id="campus-power"' in await response.text()
        etag = response.headers["ETag"]
    async with client.get("/", headers={"If-None-Match": "*"}) as response:
        assert response.status == 304
    async with client.get("/", headers={"If-None-Match": etag}) as response:
        assert response.status == 304
        assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_readiness_is_503_with_the_reasons_if_any_check_fails(plant: Plant) -> None:
    async with plant.client() as client:
        assert await get(client, "/readyz") == {
            "ready": True,
            "checks": [{"check": "journal", "ok": True, "detail": "12 batches"}],
        }
        plant.checks.append(("influxdb", False, "no connection to 127.0.0.1:8086"))
        answer = await get(client, "/readyz", 503)
    assert answer["ready"] is False
    assert answer["checks"][1] == {
        "check": "influxdb",
        "ok": False,
        "detail": "no connection to 127.0.0.1:8086",
    }


class Noted(logging.Handler):
    """Tells when a number of records of the console's server have come."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.messages: list[str] = []
        self.enough = asyncio.Event()
        self._count = count

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
        if len(self.messages) >= self._count:
            self.enough.set()


async def test_a_taken_port_is_waited_for_and_said_once(plant: Plant, monkeypatch) -> None:
    monkeypatch.setattr("console.server._RETRY", 0.01)
    noted = Noted(1)
    logging.getLogger("console.server").addHandler(noted)
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with asyncio.timeout(60):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            server = asyncio.create_task(
                serve(Showing(plant.view()), port=port, on_listening=listening.set_result)
            )
            await noted.enough.wait()
        assert await listening == port
        url = f"http://127.0.0.1:{port}/healthz"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            assert answer.status == 200
        server.cancel()
        await asyncio.wait([server])
    logging.getLogger("console.server").removeHandler(noted)
    assert [message for message in noted.messages if "can't listen" in message] == noted.messages[:1]
    assert f"127.0.0.1:{port}" in noted.messages[0]
