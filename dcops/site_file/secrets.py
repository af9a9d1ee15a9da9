"""Secrets stand in the environment or in files of their own; a site only says where."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_LARGEST = 64 * 1024


class SecretError(Exception):
    """A secret cannot be had; the message says where it was looked for, never what was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRef:
    """Where one secret is: an environment variable, or a file. Exactly one of them is given."""

    env: str | None = None
    file: Path | None = None

    def resolve(self, environ: Mapping[str, str]) -> str:
        """The secret itself. Line ends that close it are not part of it, those within it are.

        Raises:
            SecretError: it is not there, empty or cannot be read.
        """
        return self._from_env(environ) if self.file is None else _from_file(self.file)

    def missing(self, environ: Mapping[str, str]) -> str:
        """Why it cannot be had at present; empty if it can."""
        try:
            self.resolve(environ)
        except SecretError as error:
            return str(error)
        return ""

    def _from_env(self, environ: Mapping[str, str]) -> str:
        value = environ.get(self.env or "")
        if not value:
            raise SecretError(f"the environment variable {self.env} is not set; set it to the secret")
        value = _without_line_end(value)
        if not value:
            raise SecretError(
                f"the environment variable {self.env} holds nothing but a line end; set it to the secret"
            )
        return value


def _from_file(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            text = stream.read(_LARGEST + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise SecretError(f"the secret file {path} cannot be read ({reason}); create it") from None
    if len(text) > _LARGEST:
        raise SecretError(f"the secret file {path} is too large for a secret; check the path")
    text = _without_line_end(text)
    if not text:
        raise SecretError(f"the secret file {path} is empty; write the secret in it")
    return text


def _without_line_end(text: str) -> str:
    """What an editor, ``echo`` or a platform's secret store closes it with is no part of a secret."""
    return text.rstrip("\r\n")
