"""The documents, taken apart."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dcops.cli import _COMMANDS

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    (ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "deploy" / "README.md", *(ROOT / "docs").rglob("*.md"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Lines of a page that are code: between fences, or indented."""

    line: int
    language: str
    """What stands behind the fence; ``""`` where nothing does."""
    text: str


def prose(page: Path) -> Iterator[str]:
    """The lines of a page that stand in no block of code."""
    fenced = False
    for line in page.read_text("utf-8").splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield line


def blocks(page: Path) -> Iterator[Block]:
    """All blocks of code of a page, in order."""
    taken: list[str] = []
    fence, began, before = None, 0, ""
    for number, line in enumerate([*page.read_text("utf-8").splitlines(), "end"], 1):
        if line.startswith("```"):
            if fence is not None:
                yield Block(line=began, language=fence, text="\n".join(taken) + "\n")
                fence = None
            else:
                fence = line.removeprefix("```")
            taken, began, before = [], number, ""
        elif fence is not None:
            taken.append(line)
        elif line.startswith("    ") and (taken or not before.strip()):
            began = began if taken else number
            taken.append(line.removeprefix("    "))
        else:
            if taken and line.strip():
                yield Block(line=began, language="", text="\n".join(taken).rstrip() + "\n")
            taken = [*taken, ""] if taken and not line.strip() else []
            before = line


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command line of dcops in a text, without what is said behind it."""
    for line in text.replace("\\\n", " ").splitlines():
        found = re.match(r"^(?: +|\$ )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?dcops ([a-z].*)$", line)
        if found:
            words = shlex.split(re.split(r"\s{2,}", found[1])[0].partition(" #")[0].partition(" > ")[0])
            if words[0] in _COMMANDS:
                yield words
