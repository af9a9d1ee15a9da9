"""A server that speaks InfluxDB 2's write API as the real one does, poison included."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from ingest.stores.influx import InfluxTarget

TOKEN = "very-secret-token"

Poison = Callable[[str], str | None]
"""The reason a line is refused for; None if it is taken."""


def target(url: str, timeout: float = 60.0) -> InfluxTarget:
    """A bucket of a server, for one who knows the token."""
    return InfluxTarget(url=url, org="org", bucket="plant", token=TOKEN, timeout=timeout)


class Influx2:
    """Takes lines of one bucket for one token. What is in ``answers`` is answered first, one a request.

    As the original: a request with bad lines is answered with 400 or 422 and the reason of one of them, the
    others are kept; points are told apart by series and time.
    """

    def __init__(self, *, token: str, poison: Poison = lambda _: None, most_bytes: int = 1 << 30):
        self.token = token
        self.bucket = "plant"
        self.poison = poison
        self.most_bytes = most_bytes
        self.answers: list[web.Response] = []
        self.kept: dict[tuple[str, str], str] = {}
        """Fields by series and time."""
        self.sizes: list[int] = []
        """Bytes of each request that was read."""
        self.url = ""

    async def write(self, request: web.Request) -> web.Response:
        body = await request.text()
        self.sizes.append(len(body))
        if self.answers:
            return self.answers.pop(0)
        if request.headers.get("Authorization") != f"Token {self.token}":
            return answer(401, "unauthorized", "unauthorized access")
        if request.query["bucket"] != self.bucket:
            return answer(404, "not found", f'bucket "{request.query["bucket"]}" not found')
        if len(body) > self.most_bytes:
            return answer(413, "request too large", "unable to read data: points batch is too large")
        assert request.query["precision"] == "ns"
        return self.take(body.splitlines())

    def take(self, lines: list[str]) -> web.Response:
        reasons = []
        for line in lines:
            series, fields, time = re.fullmatch(r"(\S+) (\S+) (\d+)", line).groups()  # type: ignore[union-attr]
            reason = self.poison(line)
            if reason is None:
                self.kept[series, time] = fields
            else:
                reasons.append(reason)
        if not reasons:
            return web.Response(status=204)
        said = f"failure writing points to database: partial write: {reasons[0]} dropped={len(reasons)}"
        return answer(422, "unprocessable entity", said)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Influx2"]:
        application = web.Application(client_max_size=1 << 30)
        application.router.add_post("/api/v2/write", self.write)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


def answer(status: int, code: str, message: str, **headers: str) -> web.Response:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return web.json_response({"code": code, "message": message}, status=status, headers=named)
