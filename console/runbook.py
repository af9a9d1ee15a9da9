"""The shipped runbook as a page: who is called at night has a phone at hand, and no repository.

``docs/runbook.md`` uses little of Markdown: headings, paragraphs, lists, bold, code and links. That much is
understood here; anything else would be shown as it is written.
"""

import re
from collections.abc import Iterator
from html import escape
from importlib.resources import files

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
_HEADING = re.compile(r"(#{1,4}) (.*)")
_ITEM = re.compile(r"(\d+\.|-) (.*)")
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]*)\)")
_BOLD = re.compile(r"\*\*(.+?)\*\*")
_CODE = re.compile(r"`([^`]+)`")


def runbook_page() -> bytes:
    """The page, in UTF-8."""
    text = files("console").joinpath("static", "runbook.md").read_text(encoding="utf-8")
    return _PAGE.format(body="\n".join(_blocks(text))).encode()


def anchor_of(heading: str) -> str:
    """Where a link to a heading leads, as GitHub names it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _blocks(text: str) -> Iterator[str]:
    """Headings, paragraphs and lists, each as HTML."""
    words: list[str] = []
    """Of the paragraph or the item that is being read."""
    items: list[str] = []
    list_tag = ""

    def end_words() -> Iterator[str]:
        if words and list_tag:
            items.append(f"<li>{_inline(' '.join(words))}</li>")
        elif words:
            yield f"<p>{_inline(' '.join(words))}</p>"
        words.clear()

    def end_list() -> Iterator[str]:
        yield from end_words()
        if items:
            yield f"<{list_tag}>{''.join(items)}</{list_tag}>"
        items.clear()

    for line in text.splitlines():
        item = _ITEM.match(line)
        if heading := _HEADING.match(line):
            yield from end_list()
            list_tag = ""
            level = len(heading[1])
            yield f'<h{level} id="{escape(anchor_of(heading[2]))}">{_inline(heading[2])}</h{level}>'
        elif item:
            tag = "ul" if item[1] == "-" else "ol"
            yield from end_words() if tag == list_tag else end_list()
            list_tag = tag
            words.append(item[2])
        elif not line.strip():
            yield from end_list()
            list_tag = ""
        else:
            words.append(line.strip())
    yield from end_list()


def _inline(text: str) -> str:
    """Bold, code and links of one run of text. Pages that are not served here are named."""
    shown = _BOLD.sub(r"<strong>\1</strong>", _CODE.sub(r"<code>\1</code>", escape(text, quote=False)))
    return _LINK.sub(_link, shown)


def _link(found: re.Match[str]) -> str:
    words, target = found[1], found[2]
    if target.startswith(("#", "https://", "http://")):
        return f'<a href="{escape(target)}">{words}</a>'
    return f"{words} (docs/{escape(target.partition('#')[0])})"
