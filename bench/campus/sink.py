"""An equal sink for both: takes line protocol over the v2 write API, counts it and keeps nothing.

``python -m bench.campus.sink --port N``; ``GET /counts`` tells what came since the start, and of which second
of the devices' time it was: what arrives comes in batches, which would blur the edges of a window.
"""

import argparse
import gzip
from collections import Counter
from dataclasses import dataclass, field

from aiohttp import web

_DEVICE = b",device="
_NANOSECONDS = 1_000_000_000
_MOST_BODY = 1 << 28


@dataclass(slots=True)
class Counts:
    """What came. Only lines of devices count: totals and key figures are told by one of both alone."""

    requests: int = 0
    body_bytes: int = 0
    """As sent, compressed."""
    scans: Counter[int] = field(default_factory=Counter)
    """Readings of a device by second: lines that follow each other with the same time are one."""
    fields: Counter[int] = field(default_factory=Counter)
    """Values in those by second; quality codes are none."""
    _last: dict[bytes, bytes] = field(default_factory=dict, repr=False)
    """Time of the last reading of each device."""

    def add(self, sent: bytes) -> None:
        """Count the body of one write."""
        self.requests += 1
        self.body_bytes += len(sent)
        text = gzip.decompress(sent) if sent.startswith(b"\x1f\x8b") else sent
        for line in text.splitlines():
            head, _, rest = line.partition(b" ")
            _, found, device = head.partition(_DEVICE)
            if not found:
                continue
            device = device.partition(b",")[0]
            values, _, time = rest.rpartition(b" ")
            second = int(time) // _NANOSECONDS
            self.fields[second] += values.count(b"=") - values.count(b"_q=")
            if self._last.get(device) != time:
                self._last[device] = time
                self.scans[second] += 1

    def told(self) -> dict[str, object]:
        """The counts by name."""
        names = ("requests", "body_bytes", "scans", "fields")
        return {name: getattr(self, name) for name in names}

    def devices(self) -> int:
        """How many devices something came of."""
        return len(self._last)


def application() -> web.Application:
    """The server."""
    counts = Counts()

    async def write(request: web.Request) -> web.Response:
        counts.add(await request.read())
        return web.Response(status=204)

    async def tell(_: web.Request) -> web.Response:
        return web.json_response({**counts.told(), "devices": counts.devices()})

    app = web.Application(client_max_size=_MOST_BODY)
    app.router.add_post("/api/v2/write", write)
    app.router.add_get("/counts", tell)
    return app


def main() -> None:
    """Serve until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    web.run_app(application(), host="127.0.0.1", port=parser.parse_args().port, print=None)


if __name__ == "__main__":
    main()
