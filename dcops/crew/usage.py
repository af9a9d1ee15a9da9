"""What the options of ``dcops run`` make of a process: a head, a shard, everything; with workers or not."""

import argparse
from collections.abc import Mapping
from urllib.parse import urlsplit

from collectors.errors import ShareError
from collectors.shares import read_share
from dcops.crew.roles import Role
from dcops.crew.secrets import shard_token

MOST_SHARDS = 1_000
MOST_WORKERS = 64


class RoleError(Exception):
    """Options that do not go together; the message says the mend."""


def read_role(args: argparse.Namespace, environ: Mapping[str, str]) -> Role:
    """What part of the site's collecting the process takes.

    Raises:
        RoleError: the options do not go together.
        TokenError: a head or a shard is to be run without a token.
    """
    shard, shards, head, workers = args.shard, args.shards, args.head, args.workers
    _check(args)
    own = 0
    if shard is not None:
        try:
            share = read_share(shard)
        except ShareError as error:
            raise RoleError(f"--shard {error}") from None
        own, shards = share.index, share.count
    if shards > MOST_SHARDS:
        raise RoleError(f"{shards} shards are more than {MOST_SHARDS}; give fewer")
    token = shard_token(environ) if shards else ""
    return Role(shards=shards, own=own, workers=workers, token=token, head=head or "")


def _check(args: argparse.Namespace) -> None:
    shard, shards, head, workers = args.shard, args.shards, args.head, args.workers
    if shard is not None and shards:
        raise RoleError("--shard names its number of shards itself; leave --shards out")
    if head is not None and shard is None:
        raise RoleError("--head is for a shard; give --shard I/N with it")
    if head is not None and not _is_address(head):
        raise RoleError(f"--head {head!r} is no address; write http://HOST:PORT")
    if args.head_ca is not None and not (head or "").startswith("https:"):
        raise RoleError("--head-ca is for a head with https; give --head https://HOST:PORT")
    if workers > MOST_WORKERS:
        raise RoleError(f"{workers} workers are more than {MOST_WORKERS}; give about as many as processors")
    if workers and shards:
        raise RoleError(
            "a head that collects nothing has nothing for workers; leave --workers or --shards out"
        )
    if args.record is not None and (workers or head is not None):
        raise RoleError("--record writes what one process reads itself; leave out --workers and --head")


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
