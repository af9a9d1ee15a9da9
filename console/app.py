"""The console's web application: one page, the API, metrics and health. Of the plant it only ever reads."""

from importlib.metadata import PackageNotFoundError, version

import orjson
from aiohttp import web

from console.assets import asset_of, load_assets, serve_asset
from console.changes import (
    FORGET_PATH,
    RELOAD_PATH,
    SNAPSHOT_PATH,
    forget_handler,
    reload_handler,
    snapshot_handler,
)
from console.guard import LOOPBACK, Handler, Hosts, add_headers, build_guard, compressed, json_response
from console.metrics import OVERVIEW_PATH, POINTS_PATH, overview_handler, points_handler
from console.models import Alive, Check, Readiness
from console.openapi import describe
from console.parameters import read_arguments
from console.receiving import READINGS_PATH, REPORTS_PATH, readings_handler, reports_handler
from console.routes import Route
from console.runbook import runbook_page
from console.sending import Answer, end_if_stuck
from console.showing import Showing
from console.stream import Stream

MAX_STREAMS = 32
_MAX_BODY = 1024


def build_app(
    showing: Showing,
    *,
    hosts: Hosts | None = LOOPBACK,
    max_streams: int = MAX_STREAMS,
) -> web.Application:
    """The application.

    Args:
        showing: the view of the running platform that it shows at present.
        hosts: what it answers to, None for any name; see ``console.guard.allowed_hosts``.
        max_streams: how many event streams may be open at once.
    """
    routes = showing.current.routes
    app = web.Application(middlewares=[build_guard(hosts)], client_max_size=_MAX_BODY)
    app.on_response_prepare.append(add_headers)
    app.on_response_prepare.append(end_if_stuck)
    for route in routes:
        app.router.add_get(route.path, _api_handler(route, showing))
    app.router.add_post(FORGET_PATH, forget_handler(showing))
    app.router.add_post(SNAPSHOT_PATH, snapshot_handler(showing))
    app.router.add_post(RELOAD_PATH, reload_handler(showing))
    receiver = showing.current.view.receiver
    if receiver is not None:
        app.router.add_post(READINGS_PATH, readings_handler(receiver))
        app.router.add_post(REPORTS_PATH, reports_handler(receiver))
    app.router.add_get("/api/v1/stream", Stream(showing, max_streams).handle, allow_head=False)
    app.router.add_get("/api/v1/openapi.json", _description_handler(routes))
    app.router.add_get(OVERVIEW_PATH, overview_handler(showing))
    app.router.add_get(POINTS_PATH, points_handler(showing))
    _add_health(app, showing)
    _add_pages(app)

    async def end_streams(_: web.Application) -> None:
        showing.current.view.ticks.close()

    app.on_shutdown.append(end_streams)
    return app


def _api_handler(route: Route, showing: Showing) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        arguments = read_arguments(route.parameters, list(request.query.items()), request.match_info)
        return json_response(await showing.current.answers[route.path](arguments))

    return handle


def _description_handler(routes: tuple[Route, ...]) -> Handler:
    try:
        number = version("dcops")
    except PackageNotFoundError:
        number = "0"
    body = orjson.dumps(describe(routes, number))

    async def handle(_: web.Request) -> web.StreamResponse:
        return compressed(Answer(body=body, content_type="application/json"))

    return handle


def _add_health(app: web.Application, showing: Showing) -> None:
    async def healthz(_: web.Request) -> web.StreamResponse:
        return json_response(Alive(status="alive"))

    async def readyz(_: web.Request) -> web.StreamResponse:
        checks = tuple(
            Check(check=check, ok=ok, detail=detail) for check, ok, detail in showing.current.view.readiness()
        )
        ready = all(check.ok for check in checks)
        return json_response(Readiness(ready=ready, checks=checks), 200 if ready else 503)

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)


def _add_pages(app: web.Application) -> None:
    assets = load_assets()
    runbook = asset_of(runbook_page(), "text/html")

    async def page(request: web.Request) -> web.StreamResponse:
        return serve_asset(request, assets["index.html"])

    async def static(request: web.Request) -> web.StreamResponse:
        asset = assets.get(request.match_info["name"])
        if asset is None:
            raise web.HTTPNotFound
        return serve_asset(request, asset)

    async def read_runbook(request: web.Request) -> web.StreamResponse:
        return serve_asset(request, runbook)

    app.router.add_get("/", page)
    app.router.add_get("/runbook", read_runbook)
    app.router.add_get("/static/{name}", static)
