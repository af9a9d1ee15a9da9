"""The shipped runbook as a page: who is called at night has a phone at hand, and no repository."""

import re
from collections.abc import Sequence
from importlib.resources import files
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="dark light">
<title>Runbook · dcops</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/style.css">
</head>
<body>
<main class="runbook-page">
<p><a class="link" href="/">Back to the live page</a></p>
{body}
</main>
</body>
</html>
"""
_SERVED = ("#", "https://", "http://")


def runbook_page() -> bytes:
    """The page, in UTF-8."""
    text = files("console").joinpath("static", "runbook.md").read_text(encoding="utf-8")
    markdown = MarkdownIt("commonmark", {"html": False})
    tokens = markdown.parse(text)
    _name_headings(tokens)
    for each in tokens:
        if each.children:
            each.children = _pages_named(each.children)
    return _PAGE.format(body=markdown.renderer.render(tokens, markdown.options, {})).encode()


def anchor_of(heading: str) -> str:
    """Where a link to a heading leads, as GitHub names it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _name_headings(tokens: Sequence[Token]) -> None:
    """Give each heading the anchor that alarms and links name it by."""
    for opening, words in pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", anchor_of(words.content))


def _pages_named(tokens: Sequence[Token]) -> list[Token]:
    """The same, with the name of a page that is not served here in place of a link to it."""
    shown, page = [], ""
    for each in tokens:
        target = str(each.attrGet("href"))
        if each.type == "link_open" and not target.startswith(_SERVED):
            page = target.partition("#")[0]
        elif each.type == "link_close" and page:
            shown.append(Token("text", "", 0, content=f" (docs/{page})"))
            page = ""
        else:
            shown.append(each)
    return shown
