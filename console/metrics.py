"""The two paths Prometheus scrapes, sent piece by piece: nobody else waits while a campus is written.

That of a campus is 19 MB, a tenth of it compressed. A program on the same machine gets the text as it is, for
sending that takes no more than compressing, and it would have to unpack it.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from time import monotonic

import numpy as np
from aiohttp import hdrs, web
from isal import isal_zlib
from numpy.typing import NDArray

from console.errors import NotFoundError
from console.guard import Handler, is_loopback
from console.parameters import Arguments, Parameter, read_arguments
from console.sending import send
from console.showing import Showing, Shown
from facility.devices import DeviceKind
from facility.spaces import LEVELS

OVERVIEW_PATH, POINTS_PATH = "/metrics", "/metrics/points"
OVERVIEW_PARAMETERS = (
    Parameter(
        name="level",
        note="levels of the spaces to show, separated by commas; default all",
        choices=tuple(map(str, LEVELS)),
        many=True,
    ),
)
POINTS_PARAMETERS = (
    Parameter(name="node", note="a device, or a space with its devices"),
    Parameter(
        name="kind",
        note="kinds of devices, separated by commas; default all",
        choices=tuple(map(str, DeviceKind)),
        many=True,
    ),
)
_TURN_SECONDS = 0.01
"""Of work before others have their turn: a busy loop's turn may take as long."""
_BUFFERED = 1 << 20
"""Bytes that may wait for a client to read them."""
_GZIP = 31
_NOT_AT_ALL = frozenset({"q=0", "q=0.0", "q=0.00", "q=0.000"})
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
    response = web.StreamResponse(headers={"Content-Type": _CONTENT_TYPE, "Vary": hdrs.ACCEPT_ENCODING})
    packs = accepts_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, "")) and not is_loopback(request.remote)
    if packs:
        response.headers[hdrs.CONTENT_ENCODING] = "gzip"
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    if request.transport is not None:
        # Less would make the text wait for its reader again and again, each time for a turn of the loop.
        request.transport.set_write_buffer_limits(high=_BUFFERED)
    async for piece in _in_turns(_packed(pieces) if packs else pieces):
        await send(request, response, piece)
    await response.write_eof()
    return response


async def _in_turns(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces that are not empty, with others having their turn in between."""
    began = monotonic()
    for piece in pieces:
        if piece:
            yield piece
        if monotonic() - began >= _TURN_SECONDS:
            await asyncio.sleep(0)
            began = monotonic()


def _packed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same as gzip: a millisecond a megabyte, less than a thread's hand-over."""
    packer = isal_zlib.compressobj(1, isal_zlib.DEFLATED, _GZIP)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


def accepts_gzip(accepted: str) -> bool:
    """Whether gzip is among the encodings a client accepts, as its header says."""
    encodings = [each.replace(" ", "").lower().partition(";") for each in accepted.split(",")]
    return any(name == "gzip" and weight not in _NOT_AT_ALL for name, _, weight in encodings)
