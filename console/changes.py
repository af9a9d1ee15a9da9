"""The requests that change something: taken from this machine only, and never from another site's page.

There is no login, so nothing identifies who asks; what must be certain is that it is somebody on this
machine. A browser sends JSON for another site's page only after asking first, and is then refused. A page
whose name has been made to resolve to this machine (DNS rebinding) is no other site to the browser, so only
loopback names are answered to here, whatever the server is bound to.
"""

import orjson
from aiohttp import hdrs, web

from console.collection import forget_lessons
from console.collection_models import ForgetRequest
from console.errors import BadRequestError, ForbiddenError, UnavailableError
from console.guard import LOOPBACK_NAMES, Handler, host_name, is_loopback, json_response
from console.models import Snapshot
from console.showing import Showing
from console.site import SiteRefusedError
from console.site_models import ReloadRequest
from ingest.errors import HistoryCopyError, StoreUnavailableError

FORGET_PATH = "/api/v1/collection/lessons/forget"
RELOAD_PATH = "/api/v1/site/reload"
SNAPSHOT_PATH = "/api/v1/history/snapshot"
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")
_OWN_SITES = frozenset({"same-origin", "none"})


def forget_handler(showing: Showing) -> Handler:
    """Answers ``POST /api/v1/collection/lessons/forget`` with body ``{"device": ID}``, or ``"all"``."""

    async def handle(request: web.Request) -> web.StreamResponse:
        check_origin(request)
        wanted = _forget_request(await request.read())
        return json_response(forget_lessons(showing.current.view, wanted.device))

    return handle


def snapshot_handler(showing: Showing) -> Handler:
    """Answers ``POST /api/v1/history/snapshot`` with body ``{}``: a copy of the history, made now."""

    async def handle(request: web.Request) -> web.StreamResponse:
        check_origin(request)
        try:
            folder = await showing.current.view.take_snapshot()
        except (StoreUnavailableError, HistoryCopyError) as error:
            raise UnavailableError(
                "no_snapshot", f"the history can't be copied: {error}", "see the log"
            ) from error
        return json_response(Snapshot(folder=str(folder.resolve())))

    return handle


def reload_handler(showing: Showing) -> Handler:
    """Answers ``POST /api/v1/site/reload`` with body ``{}``, or ``{"removing": 40}``: the site's files are
    read and taken up now.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        check_origin(request)
        wanted = _reload_request(await request.read())
        try:
            return json_response(await showing.current.view.keeper.reload(wanted.removing))
        except SiteRefusedError as error:
            return json_response(error.body, error.status)

    return handle


def check_origin(request: web.Request) -> None:
    """Refuse a change that may come from elsewhere.

    Raises:
        ForbiddenError: it comes from another machine, through a proxy, or from another site's page.
        BadRequestError: it does not carry JSON.
    """
    if not is_loopback(request.remote) or any(name in request.headers for name in _FORWARDED):
        raise ForbiddenError(
            "not_local", "changes are taken from this machine only", "use the command line of dcops there"
        )
    name = host_name(request.host)
    if name not in LOOPBACK_NAMES and not is_loopback(name):
        raise ForbiddenError(
            "not_local", f"changes are not taken at {name[:100]!r}", "ask for http://127.0.0.1 with the port"
        )
    origin = request.headers.get(hdrs.ORIGIN)
    foreign = origin is not None and origin != f"{request.scheme}://{request.host}"
    if foreign or request.headers.get("Sec-Fetch-Site", "none") not in _OWN_SITES:
        raise ForbiddenError("other_site", "changes are not taken from pages of other sites", "ask directly")
    if request.content_type != "application/json":
        raise BadRequestError("no_json", "the body is not JSON", "send Content-Type: application/json")


def _forget_request(body: bytes) -> ForgetRequest:
    try:
        device = orjson.loads(body)["device"]
    except (ValueError, TypeError, KeyError, IndexError):
        device = None
    if not isinstance(device, str):
        raise BadRequestError("bad_body", "the body names no device", 'send {"device": "ID"}, or "all"')
    return ForgetRequest(device=device)


def _reload_request(body: bytes) -> ReloadRequest:
    try:
        given = orjson.loads(body or b"{}").get("removing", 0)
    except (ValueError, AttributeError):
        given = None
    if not isinstance(given, int) or isinstance(given, bool) or given < 0:
        raise BadRequestError(
            "bad_body",
            "the body says no number of devices",
            'send {}, or {"removing": 40} for up to 40 devices',
        )
    return ReloadRequest(removing=given)
