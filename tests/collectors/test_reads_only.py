"""The plant is only read: nothing that ships can write; the simulators, which answer, are left out."""

import ast
import re
from pathlib import Path

import pytest

from collectors.modbus.frames import FUNCTIONS, IDENTIFY, identify_request, read_request
from collectors.planning import Block
from collectors.profiles import Table

ROOT = Path(__file__).parents[2]
SHIPPED = ("facility", "collectors", "ingest", "alerting", "grafana", "console", "dcops")
SOURCES = sorted(path for package in SHIPPED for path in (ROOT / package).rglob("*.py"))
WRITES = frozenset({5, 6, 15, 16, 21, 22, 23})
"""Function codes that change something: coils, registers, files, masks, read and write."""
NAMES = re.compile(
    r"write_(single_|multiple_|file_|mask_)?(coil|register)s?|mask_write|read_?write_(multiple_)?register"
    r"|force_(single|multiple)_coils?|preset_(single|multiple)_registers?|WriteSingle|WriteMultiple|ReadWriteMultiple",
    re.IGNORECASE,
)


def test_only_read_functions_can_be_sent() -> None:
    assert FUNCTIONS == {Table.COIL: 1, Table.DISCRETE: 2, Table.HOLDING: 3, Table.INPUT: 4}
    assert IDENTIFY == 43
    requests = [read_request(1, Block(table, 0, 1, ())) for table in Table]
    requests.append(identify_request(1))
    assert {request.function for request in requests} == {1, 2, 3, 4, 43}
    assert [request.frame(0)[7] for request in requests] == [request.function for request in requests]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_names_a_write(path: Path) -> None:
    assert not NAMES.search(path.read_text(encoding="utf-8"))


def _tables_of_functions(tree: ast.AST) -> list[int]:
    """Numbers that stand where a function code would: under a name that speaks of functions or codes."""
    found: list[int] = []
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names = " ".join(ast.unparse(each) for each in targets if each is not None).lower()
        value = getattr(node, "value", None)
        if isinstance(node, ast.Assign | ast.AnnAssign) and value is not None and "function" in names:
            found += [
                each.value
                for each in ast.walk(value)
                if isinstance(each, ast.Constant) and isinstance(each.value, int)
            ]
        if isinstance(node, ast.keyword) and node.arg is not None and "function" in node.arg:
            found += [
                each.value
                for each in ast.walk(node.value)
                if isinstance(each, ast.Constant) and isinstance(each.value, int)
            ]
    return found


MODBUS = [path for path in SOURCES if "modbus" in str(path) or "commissioning" in str(path)]


@pytest.mark.parametrize("path", MODBUS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_function_code_of_a_write_stands_in_what_speaks_modbus(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not WRITES & set(_tables_of_functions(tree))


def test_requests_are_made_in_one_place_only() -> None:
    makers = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if re.search(r"(?<!class )\bRequest\(", path.read_text(encoding="utf-8"))
    ]
    assert makers == ["collectors/modbus/frames.py"]


def test_the_guard_finds_what_it_guards_against() -> None:
    assert NAMES.search("client.write_register(1, 2)")
    assert WRITES & set(_tables_of_functions(ast.parse("FUNCTIONS = {'x': 6}")))
    assert WRITES & set(_tables_of_functions(ast.parse("send(function=16)")))
