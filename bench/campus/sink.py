"""An equal sink for both: takes line protocol over the v2 write API, counts it and keeps nothing.

``python -m bench.campus.sink --port N``; ``GET /counts`` tells what came since the start.
"""

import argparse
import gzip
from dataclasses import asdict, dataclass

from aiohttp import web

_DEVICE = b",device="
_MOST_BODY = 1 << 28


@dataclass(slots=True)
class Counts:
    """What came. Only lines of devices count: totals and key figures are told by one of both alone."""

    requests: int = 0
    body_bytes: int = 0
    """As sent, compressed."""
    lines: int = 0
    """Readings of a device, all its fields at one time."""
    fields: int = 0
    """Values in those; quality codes are none."""

    def add(self, sent: bytes) -> None:
        """Count the body of one write."""
        self.requests += 1
        self.body_bytes += len(sent)
        text = gzip.decompress(sent) if sent.startswith(b"\x1f\x8b") else sent
        for line in text.splitlines():
            head, _, rest = line.partition(b" ")
            if _DEVICE in head:
                self.lines += 1
                self.fields += rest.count(b"=") - rest.count(b"_q=")


def application() -> web.Application:
    """The server."""
    counts = Counts()

    async def write(request: web.Request) -> web.Response:
        counts.add(await request.read())
        return web.Response(status=204)

    async def tell(_: web.Request) -> web.Response:
        return web.json_response(asdict(counts))

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
