"""What every request passes: host check, limits, JSON errors; and the headers of every response."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address

import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from console.errors import ApiError
from console.models import ErrorAnswer, Refusal
from console.sending import Answer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
"""Host names by which a loopback server may be asked for."""
MOST_QUERY = 4096
"""Characters of a query string."""
_COMPRESSED_FROM = 2048
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; object-src 'none'; "
    # Nothing on the page makes markup of text; so nothing may.
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "dcops",
}
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hosts:
    """What a server may be asked for as, in a Host header."""

    names: frozenset[str] = LOOPBACK_NAMES
    addresses: bool = False
    """Any address, too: a page of another site can't have one of its own."""

    def __contains__(self, name: str) -> bool:
        return name in self.names or (self.addresses and _is_address(name))


LOOPBACK = Hosts()
"""Loopback names alone."""


def allowed_hosts(bind_host: str, more: frozenset[str] = frozenset()) -> Hosts | None:
    """What a server bound to ``bind_host`` answers to; None for anything.

    A page of another site can make a browser ask this server by having its own name resolve to the address of
    this server (DNS rebinding); the Host header still tells. Bound to an outer address any name may be right,
    unless ``more`` tells which are.
    """
    if bind_host == "localhost":
        return Hosts(LOOPBACK_NAMES | more)
    if is_loopback(bind_host):
        return Hosts(LOOPBACK_NAMES | {bind_host} | more)
    return Hosts(LOOPBACK_NAMES | {bind_host.lower()} | more, addresses=True) if more else None


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(address: str | None) -> bool:
    """Whether an address is one of the machine itself; a name, or none, is not."""
    try:
        return address is not None and ip_address(address).is_loopback
    except ValueError:
        return False


def json_response(body: object, status: int = 200) -> web.Response:
    """A JSON response; compressed if it is large and the client takes it. NaN becomes null."""
    return compressed(Answer(body=orjson.dumps(body), status=status, content_type="application/json"))


def compressed(response: web.Response) -> web.Response:
    """The response, to be compressed if it is large."""
    if isinstance(response.body, bytes) and len(response.body) >= _COMPRESSED_FROM:
        response.enable_compression()
        response.headers[hdrs.VARY] = hdrs.ACCEPT_ENCODING
    return response


def error_response(status: int, code: str, message: str, mend: str) -> web.Response:
    """The JSON body of an error."""
    refusal = ErrorAnswer(error=Refusal(code=code, message=message, mend=mend))
    return json_response(refusal, status)


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Put the security headers on a response, just before it is sent."""
    response.headers.update(_HEADERS)
    response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")


def build_guard(hosts: Hosts | None) -> Middleware:
    """The outermost middleware."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if (refusal := _refusal(request, hosts)) is not None:
            return refusal
        try:
            return await handler(request)
        except ApiError as error:
            return error_response(error.status, error.code, error.message, error.mend)
        except web.HTTPException as error:
            return _http_error(request, error)
        except Exception as error:
            if isinstance(error, ConnectionResetError) and _has_gone(request):
                _LOGGER.debug("who asked for %s has gone", request.path)
                return web.Response()  # which nobody gets
            _LOGGER.exception("answering %s failed", request.path)
            return error_response(
                500, "internal_error", "the answer could not be made", "see the log of dcops"
            )

    return guard


def _has_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _refusal(request: web.Request, hosts: Hosts | None) -> web.Response | None:
    """The answer to what is not served whatever its path."""
    if hosts is not None and host_name(request.host) not in hosts:
        return error_response(
            421,
            "wrong_host",
            f"this server is not {request.host[:100]!r}",
            f"ask for it {'by its address' if hosts.addresses else 'as localhost'}, or start it with this"
            " name in --allowed-hosts (DCOPS_ALLOWED_HOSTS)",
        )
    if len(request.query_string) > MOST_QUERY:
        return error_response(
            414, "query_too_long", "the query is too long", f"use at most {MOST_QUERY} characters"
        )
    return None


def host_name(host: str) -> str:
    """Name or address in a Host header, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def _http_error(request: web.Request, error: web.HTTPException) -> web.Response:
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        response = error_response(
            405, "method_not_allowed", f"{request.method} is not served", f"use {allowed}"
        )
        response.headers[hdrs.ALLOW] = allowed
        return response
    if error.status == web.HTTPNotFound.status_code:
        return error_response(
            404, "not_found", f"there is no {request.path[:200]}", "see /api/v1/openapi.json"
        )
    return error_response(error.status, "refused", error.reason, "see /api/v1/openapi.json")
