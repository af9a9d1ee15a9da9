"""Several dcops processes on one simulated hall whose values stand still until they are told to go on."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import duckdb
import numpy as np
from numpy.typing import NDArray

from dcops.site_file import load
from dcops.stages import stage
from dcops.system_clock import SystemClock
from simulators.plant import Plant
from simulators.simulation import Simulation
from tests.e2e.hall import until
from tests.e2e.test_kill import PROGRAM
from tests.servers.processes import free_port

ROOT = Path(__file__).parents[2]
TOKEN = "a-token-for-tests-only"


class Still:
    """The values of a plant, standing still."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._values = plant.values.copy()
        self._changed = False

    @property
    def values(self) -> NDArray[np.float64]:
        return self._values

    @property
    def silent(self) -> NDArray[np.bool_]:
        return self._plant.silent

    def advance(self, now: int) -> bool:
        changed, self._changed = self._changed, False
        return changed

    def show(self, values: NDArray[np.float64]) -> None:
        self._values, self._changed = values.copy(), True

    def at(self, time: int) -> NDArray[np.float64]:
        """What the plant shows at a time."""
        self._plant.advance(time)
        return self._plant.values.copy()


@asynccontextmanager
async def standing_still(site: Path) -> AsyncIterator[Still]:
    loaded, clock = load(site), SystemClock()
    source = Still(Plant(loaded.site, 1, clock.now()))
    simulation = Simulation(loaded.site, loaded.plan, source, clock, None, start_broker=True, resolution=0.2)
    async with stage({"simulation": simulation.run()}):
        await asyncio.wait_for(simulation.ready.wait(), 60)
        yield source


class Running:
    """One ``dcops run`` in a process of its own."""

    def __init__(
        self,
        site: Path,
        folder: Path,
        *options: str,
        token: str | None = TOKEN,
        port: int | None = None,
        ledger: Path | None = None,
    ) -> None:
        """With a ledger it notes every sample there after it is journalled."""
        self.port = port or free_port()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._log = (folder / "log").open("a")
        run = ["run", str(site), "--data", str(folder / "data"), "--port", str(self.port), *options]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("DCOPS_")}
        environ |= {"DCOPS_SHARD_TOKEN": token} if token is not None else {}
        program = ["-m", "dcops"] if ledger is None else ["-c", PROGRAM, str(ledger)]
        self.process = subprocess.Popen(
            [sys.executable, *program, *run], stderr=self._log, cwd=ROOT, env=environ
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    async def get(self, path: str) -> Any:
        """What the API answers; None while it does not."""
        return await asyncio.to_thread(self._get, path)

    def _get(self, path: str) -> Any:
        try:
            with urlopen(self.url + path, timeout=60) as answer:
                return json.load(answer)
        except (URLError, OSError):
            return None

    async def post(self, path: str, body: bytes, token: str | None) -> tuple[int, bytes]:
        return await asyncio.to_thread(self._post, path, body, token)

    def _post(self, path: str, body: bytes, token: str | None) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        try:
            with urlopen(Request(self.url + path, data=body, headers=headers), timeout=60) as answer:
                return answer.status, answer.read()
        except HTTPError as error:
            return error.code, error.read()

    async def value(self, series: str) -> float | None:
        found = await self.get(f"/api/v1/points/{series}")
        return found["value"] if found else None

    async def collectors(self) -> dict[str, Any]:
        found = await self.get("/api/v1/collection?state=dormant")
        return {each["name"]: each for each in found["collectors"]} if found else {}

    async def collector(self, name: str) -> dict[str, Any]:
        """What the API says of a shard or worker, as soon as it answers."""
        return (await until(self.collectors, f"{self.folder.name} answers"))[name]

    async def reads_everything(self) -> None:
        """Return when every point of the campus' rollups is measured."""

        async def covered() -> bool:
            found = await self.get("/api/v1/collection")
            return bool(found) and found["states"]["online"] == len(found["devices"]) > 0

        await until(covered, f"every device is read by {self.folder.name}")

    async def end(self, how: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = await asyncio.to_thread(self.process.wait, 120)
        self._log.close()
        return code


def exported(data: Path) -> list[tuple[str, int]]:
    """(series, ms) of every reading in the history of a process that has ended."""
    output = data.parent / "exported.parquet"
    command = ["history", "export", "--data", str(data), "--series", "*", "--output", str(output)]
    subprocess.run([sys.executable, "-m", "dcops", *command], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    with duckdb.connect() as connection:
        return connection.execute(f"SELECT series, epoch_ms(time) FROM '{output}'").fetchall()


@asynccontextmanager
async def running(*processes: Running) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for each in processes:
            await each.end(signal.SIGKILL)
