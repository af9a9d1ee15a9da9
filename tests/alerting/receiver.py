"""A webhook receiver on a real socket, that can be away, busy or refuse."""

import asyncio
import json
from collections.abc import Callable

from aiohttp import web

DEADLINE = 120.0


async def until(condition: Callable[[], object], seconds: float = DEADLINE) -> None:
    """Return once the condition holds; fails after so many seconds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - it may be about another process
            await asyncio.sleep(0.005)


class Receiver:
    """Keeps what it is sent. ``port`` stays the same over stop and start."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.status = 200
        self.hang = False
        self.location = "/elsewhere"
        self.refused = ""
        """Id of an alarm that makes a message a bad one."""
        self.attempts = 0
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/s3cret-token?key=s3cret-key"

    @property
    def events(self) -> list[tuple[str, str]]:
        """(event, alarm id) in order of arrival."""
        return [
            (event["event"], event["alarm"]["id"])
            for body in self.bodies
            for event in json.loads(body)["events"]
        ]

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/hooks/{token}", self._take)
        app.router.add_post("/api/v2/alerts", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _take(self, request: web.Request) -> web.Response:
        self.attempts += 1
        if self.hang:
            await asyncio.Event().wait()
        body = await request.read()
        if self.refused and self.refused.encode() in body:
            return web.Response(status=400, text="so it is")
        if self.status == 200:
            self.bodies.append(body)
            self.headers.append(dict(request.headers))
        headers = {"Location": self.location} if self.status == 302 else {}
        return web.Response(status=self.status, text="so it is", headers=headers)
