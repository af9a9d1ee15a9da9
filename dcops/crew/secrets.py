"""The word that a head and its shards share: from the environment or a file, never from a command line."""

from collections.abc import Mapping
from pathlib import Path

from dcops.errors import DcopsError
from dcops.site_file.secrets import SecretError, SecretRef

TOKEN_VARIABLE = "DCOPS_SHARD_TOKEN"  # noqa: S105 - the name of a variable
FILE_VARIABLE = f"{TOKEN_VARIABLE}_FILE"
SHORTEST = 16


class TokenError(DcopsError):
    """There is no token that a head or a shard could be run with."""


def shard_token(environ: Mapping[str, str]) -> str:
    """The token.

    Raises:
        TokenError: there is none, or it could be guessed.
    """
    path = environ.get(FILE_VARIABLE)
    ref = SecretRef(file=Path(path)) if path else SecretRef(env=TOKEN_VARIABLE)
    try:
        token = ref.resolve(environ)
    except SecretError as error:
        raise TokenError(
            f"{error}; a head and its shards need one ({TOKEN_VARIABLE} or {FILE_VARIABLE})"
        ) from None
    if len(token) < SHORTEST or not token.isascii() or not token.isprintable():
        raise TokenError(
            f"{TOKEN_VARIABLE} must have {SHORTEST} printable characters or more;"
            " make one with: openssl rand -hex 32"
        )
    return token
