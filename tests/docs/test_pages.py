"""The documents: links lead somewhere, commands can be typed as they stand, and every option is explained."""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dcops.cli import _COMMANDS, _parser
from tests.docs.pages import PAGES, ROOT, commands, prose

FOR_ALL = {"--help", "--verbose"}


def anchors(page: Path) -> set[str]:
    """Where a link may lead in a page, as GitHub names headings."""
    found = set()
    for line in prose(page):
        if line.startswith("#"):
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", line.lstrip("#").strip()).replace("`", "")
            found.add(re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", "\n".join(prose(page))):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_files_that_are_named_are_there(page: Path) -> None:
    there = {path.name for path in ROOT.rglob("*.py") if ".venv" not in path.parts}
    named = re.findall(r"`(?:[\w./]*/)?(\w+\.py)`", "\n".join(prose(page)))
    assert set(named) - there == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_can_be_typed_as_they_stand(page: Path) -> None:
    for words in commands(page.read_text("utf-8")):
        _parser(words).parse_args(words)


def test_commands_are_found_in_the_pages() -> None:
    found = [words[0] for page in PAGES for words in commands(page.read_text("utf-8"))]
    assert len(found) > 40
    assert set(found) == set(_COMMANDS)


def options(parser: argparse.ArgumentParser, path: str) -> Iterator[tuple[str, str]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from options(inner, f"{path} {name}")
        else:
            yield from ((path, option) for option in action.option_strings if option.startswith("--"))


@pytest.mark.parametrize("command", _COMMANDS)
def test_every_option_is_explained(command: str) -> None:
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    parser = _parser([command])
    (chosen,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    missing = {
        f"{path} {option}"
        for path, option in options(chosen.choices[command], command)
        if option not in FOR_ALL and not re.search(rf"(?<![\w-]){option}(?![\w-])", text)
    }
    assert missing == set()


def epilogs(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield parser.epilog or ""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from epilogs(inner)


@pytest.mark.parametrize("command", _COMMANDS)
def test_examples_of_the_help_can_be_typed_as_they_stand(command: str) -> None:
    examples = [
        words for text in epilogs(_parser([command])) for words in commands(text) if words[0] == command
    ]
    assert examples
    for words in examples:
        _parser(words).parse_args(words)
