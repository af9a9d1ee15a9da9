"""What a receiver answers, without what nobody else may read: it may repeat the address or a header."""

import html
import json
from base64 import b64encode
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from yarl import URL

_SHORTEST = 4
"""Shorter parts of paths and queries are no tokens, and occur in any text."""
_IN_ITS_PLACE = "…"


def secrets_of(url: URL, *others: str | None) -> frozenset[str]:
    """What must not be told of an address: user, password, parts of the path and the query, which may be
    tokens; and ``others``, where there are some.
    """
    parts = [*url.parts, *url.raw_parts, *url.query.values(), url.raw_query_string, url.query_string]
    found = {part for part in parts if len(part) >= _SHORTEST}
    found.update(filter(None, (url.user, url.raw_user, url.password, url.raw_password, *others)))
    if url.user is not None or url.password is not None:
        credentials = f"{url.user or ''}:{url.password or ''}"
        found.update(b64encode(credentials.encode(each, "replace")).decode() for each in ("latin1", "utf-8"))
    return frozenset(found)


def without(text: str, secrets: Iterable[str], *, whole: bool) -> str:
    """The text without any of the secrets, however they are quoted in it.

    If it is not the ``whole`` text, it may end in the midst of one: so much is left out there, too.
    """
    written = {form for secret in secrets if secret for form in _forms(secret)}
    longest_first = sorted(written, key=lambda form: (-len(form), form))
    for form in longest_first:
        text = text.replace(form, _IN_ITS_PLACE)
    if longest_first and not whole:
        text = text[: -len(longest_first[0])]
    return text


def _forms(secret: str) -> set[str]:
    return {secret, quote(secret, safe=""), quote_plus(secret), html.escape(secret), json.dumps(secret)[1:-1]}
