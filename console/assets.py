"""The pages' files, held in memory: nothing else can be asked for by path."""

from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files

from aiohttp import hdrs, web

from console.guard import compressed
from console.sending import Answer

_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file."""

    body: bytes
    content_type: str
    etag: str


def load_assets() -> dict[str, Asset]:
    """Every file in ``static/``, by name."""
    found: dict[str, Asset] = {}
    for entry in files("console").joinpath("static").iterdir():
        suffix = entry.name[entry.name.rfind(".") :]
        if suffix in _TYPES:
            found[entry.name] = asset_of(entry.read_bytes(), _TYPES[suffix])
    return found


def asset_of(body: bytes, content_type: str) -> Asset:
    """A file of which only the body is there."""
    return Asset(body, content_type, sha256(body).hexdigest()[:16])


def serve_asset(request: web.Request, asset: Asset) -> web.Response:
    """The file, or 304 if the browser has it already."""
    headers = {hdrs.ETAG: f'"{asset.etag}"', hdrs.CACHE_CONTROL: "no-cache"}
    if any(tag.value in (asset.etag, "*") for tag in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return compressed(
        Answer(body=asset.body, content_type=asset.content_type, charset="utf-8", headers=headers)
    )
