"""The two paths Prometheus scrapes, sent piece by piece: nobody else waits while a campus is written."""

import asyncio
from collections.abc import Iterator
from time import monotonic

import numpy as np
from aiohttp import web
from numpy.typing import NDArray

from console.errors import NotFoundError
from console.guard import Handler
from console.parameters import Arguments, Parameter, read_arguments
from console.showing import Showing, Shown
from facility.devices import DeviceKind
from facility.spaces import LEVELS

OVERVIEW_PATH, POINTS_PATH = "/metrics", "/metrics/points"
OVERVIEW_PARAMETERS = (
    Parameter(
        name="level",
        note="levels whose spaces are told of, with commas; all if left out",
        choices=tuple(map(str, LEVELS)),
        many=True,
    ),
)
POINTS_PARAMETERS = (
    Parameter(name="node", note="a device, or a space whose devices are told of"),
    Parameter(
        name="kind",
        note="kinds of devices, with commas; all if left out",
        choices=tuple(map(str, DeviceKind)),
        many=True,
    ),
)
_TURN_SECONDS = 0.01
"""Of work before others have their turn: a busy loop's turn may take as long."""
_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def overview_handler(showing: Showing) -> Handler:
    """Spaces, key figures and everything's health."""

    async def handle(request: web.Request) -> web.StreamResponse:
        arguments = read_arguments(OVERVIEW_PARAMETERS, list(request.query.items()), {})
        levels = frozenset(arguments.several("level"))
        return await _send(request, showing.current.view.metrics.overview(levels or None))

    return handle


def points_handler(showing: Showing) -> Handler:
    """Single points of devices."""

    async def handle(request: web.Request) -> web.StreamResponse:
        arguments = read_arguments(POINTS_PARAMETERS, list(request.query.items()), {})
        shown = showing.current
        return await _send(request, shown.view.metrics.points(_chosen(shown, arguments)))

    return handle


def _chosen(shown: Shown, arguments: Arguments) -> NDArray[np.int64]:
    """Where the devices asked for are among the site's.

    Raises:
        NotFoundError: there is no such device or space.
    """
    view, plan, kinds = shown.view, shown.plan, shown.kinds
    node = arguments.text("node")
    chosen = np.ones(len(kinds), dtype=np.bool_)
    if node is not None and node in plan.at:
        chosen = plan.devices_in(node)
    elif node is not None:
        at = view.site.device_index.get(node)
        if at is None:
            raise NotFoundError("unknown_node", f"there is no device or space {node!r}", "see /api/v1/nodes")
        chosen = np.arange(len(kinds)) == at
    wanted = arguments.several("kind")
    if wanted:
        chosen &= np.isin(kinds, wanted)
    return np.flatnonzero(chosen)


async def _send(request: web.Request, pieces: Iterator[bytes]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": _CONTENT_TYPE})
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    began = monotonic()
    for piece in pieces:
        if piece:
            await response.write(piece)
        if monotonic() - began >= _TURN_SECONDS:
            await asyncio.sleep(0)
            began = monotonic()
    await response.write_eof()
    return response
