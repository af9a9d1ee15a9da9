"""A platform whose devices all answered, as Prometheus and InfluxDB see it: no field, no processes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np

from dcops.platform import Platform
from dcops.settings import Settings
from dcops.site_file import load
from facility.point_types import Behaviour
from facility.sample import NANOSECONDS, Sample
from simulators.sitegen import SiteShape, generate, write_site

STEP = 60 * NANOSECONDS
POWER = {
    "utility_meter": 4e5,
    "board_meter": 1.9e5,
    "ups": 1.5e5,
    "rpp": 7e4,
    "busway_tap": 3e4,
    "rack_pdu": 3e4,
}
STATES = {"running": 1.0, "breaker_closed": 1.0}


class StillClock:
    """Stands where it was put."""

    def __init__(self, time: int) -> None:
        self.time = time

    def now(self) -> int:
        return self.time

    async def sleep_until(self, time: int) -> None:
        raise NotImplementedError


def answered_platform(folder: Path, now: int) -> Platform:
    """A platform of two small buildings after four scans of all devices, one minute apart."""
    write_site(generate(SiteShape(buildings=2, rows=2, racks=2)), folder / "site")
    clock = StillClock(now - 3 * STEP)
    platform = Platform(load(folder / "site"), clock, Settings(data=folder / "data"), {})
    for scan in range(4):
        clock.time = now - (3 - scan) * STEP
        for sample in scans(platform, clock.time, scan):
            platform.tick.accept(sample)
        platform.tick.close(clock.time)
    return platform


def scans(platform: Platform, time: int, scan: int) -> Iterator[Sample]:
    """One reading of every device; counters have counted what the power says."""
    site = platform.live.loaded.site
    for device, first in zip(site.devices, site.first_points.tolist(), strict=False):
        power = POWER.get(device.kind, 2e4)
        values = [reading(point.type, power, scan) for point in device.points]
        quality = np.full(len(values), 192, dtype=np.uint8)
        yield Sample(first, time, np.array(values), quality)


def reading(kind, power: float, scan: int) -> float:
    if kind.behaviour is Behaviour.COUNTER:
        return 1000.0 + power * scan / 60 / (1.0 if kind.unit == "Wh" else 1e5)
    if kind.behaviour is Behaviour.STATE:
        return STATES.get(kind.key, 0.0)
    by_unit = {
        "W": power,
        "VA": power,
        "V": 230.0,
        "A": 50.0,
        "Hz": 50.0,
        "°C": 21.0,
        "L/s": 3.0,
        "kPa": 90.0,
    }
    return {"heat_power": 4 * power, "power_factor": 0.97}.get(kind.key, by_unit.get(kind.unit, 40.0))


@contextmanager
def served(text: Callable[[], bytes]) -> Iterator[str]:
    """Serve what the function says at each scrape of /metrics; yields host:port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(text())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
