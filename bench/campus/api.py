"""What dcops tells of itself over HTTP."""

import json
import time
from dataclasses import dataclass
from typing import cast

import aiohttp

from facility.durations import quantile

JsonObject = dict[str, object]
_PATIENCE = aiohttp.ClientTimeout(total=60)
_NOT_THERE = frozenset({404, 405})


@dataclass(frozen=True, slots=True)
class Told:
    """One answer of ``/api/v1/process``."""

    body: JsonObject

    def number(self, *path: str) -> float:
        """A number in it."""
        found: object = self.body
        for key in path:
            found = cast(JsonObject, found)[key]
        return float(cast(float, found))

    def counts(self, *path: str) -> list[int]:
        """The counts of a spread of durations."""
        found: object = self.body
        for key in path:
            found = cast(JsonObject, found)[key]
        return cast(list[int], cast(JsonObject, found)["counts"])

    @property
    def cpu(self) -> dict[str, float]:
        """Seconds of CPU by stage."""
        return cast(dict[str, float], self.body["cpu"])

    @property
    def stores(self) -> dict[str, JsonObject]:
        """What is told of each store."""
        return {str(each["store"]): each for each in cast(list[JsonObject], self.body["stores"])}

    @property
    def long_stalls(self) -> list[tuple[str, float]]:
        """When each of the last long stalls ended, and its seconds."""
        stalls = cast(list[JsonObject], cast(JsonObject, self.body["loop"])["long_ones"])
        return [(str(each["ended"]), float(cast(float, each["seconds"]))) for each in stalls]

    @property
    def time(self) -> str:
        """RFC 3339, as comparable as a number."""
        return str(self.body["time"])


def between(before: Told, after: Told, *path: str) -> list[int]:
    """The counts of a spread that came between two answers."""
    pairs = zip(after.counts(*path), before.counts(*path), strict=True)
    return [later - earlier for later, earlier in pairs]


def milliseconds(counts: list[int], share: float) -> float:
    """A quantile of a spread, ms."""
    return quantile(counts, share) * 1e3


class Api:
    """Asks one dcops on this machine."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self.port = port
        self._session = session
        self._base = f"http://127.0.0.1:{port}"

    async def alive(self) -> bool:
        """Whether it answers at all."""
        try:
            async with self._session.get(f"{self._base}/healthz") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False

    async def process(self) -> Told:
        """How it does."""
        return Told(await self._json("/api/v1/process"))

    async def point(self, series: str) -> float | None:
        """The present value of a series."""
        return cast(float | None, (await self._json(f"/api/v1/points/{series}"))["value"])

    async def alarmed(self, space: str) -> set[str]:
        """Devices in a space with an alarm that stands."""
        alarms = cast(list[JsonObject], (await self._json(f"/api/v1/alarms?space={space}"))["alarms"])
        return {str(each["device"]) for each in alarms}

    async def scrape(self) -> tuple[float, int]:
        """Read ``/metrics``: how many seconds it took, infinite if too many, and how many bytes it was."""
        began = time.perf_counter()
        try:
            async with self._session.get(f"{self._base}/metrics", timeout=_PATIENCE) as response:
                response.raise_for_status()
                size = len(await response.read())
        except TimeoutError:
            return float("inf"), 0
        return time.perf_counter() - began, size

    async def reload(self) -> float | None:
        """Have the site read anew: the seconds it took, None if this dcops can't.

        Raises:
            aiohttp.ClientResponseError: it refused.
        """
        began = time.perf_counter()
        async with self._session.post(f"{self._base}/api/v1/site/reload", json={}) as response:
            if response.status in _NOT_THERE:
                return None
            if response.status != 200:
                raise RuntimeError(f"reload was refused: {(await response.text())[:500]}")
            await response.read()
        return time.perf_counter() - began

    async def _json(self, path: str) -> JsonObject:
        async with self._session.get(self._base + path) as response:
            response.raise_for_status()
            found: JsonObject = json.loads(await response.read())
            return found
