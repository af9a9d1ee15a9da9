"""Every block of code in the documents is what it says: shell, a site, a profile, a table, an answer.

A block that is new has to be given a kind here, or the first test fails.
"""

import configparser
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from collectors.profiles.csv_map import import_map
from collectors.profiles.reader import read_files
from dcops.cli import main
from dcops.site_file import load
from simulators.scenario_steps import STEPS
from tests.docs.pages import PAGES, ROOT, Block, blocks, commands

SMALLEST = next(each.text for each in blocks(ROOT / "docs" / "site.md") if each.text.startswith("dcops: 1"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def shell(block: Block, folder: Path) -> None:
    """It can be typed; what it starts of ours is there."""
    text = re.sub(r"^\$ .*", lambda line: line[0][2:], block.text, flags=re.MULTILINE)
    done = subprocess.run(["bash", "-n", "-c", text], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert set(re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)) <= TARGETS
    assert all(find_spec(name) for name in re.findall(r"^\S*python3? -m ([\w.]+)", text, re.MULTILINE))


def with_what_is_said_behind(block: Block, folder: Path) -> None:
    """Commands, each with words for people behind it."""
    assert [
        line for line in block.text.splitlines() if not re.match(r"dcops \S.*\S  +\S|dcops \S+$", line)
    ] == []


def site(block: Block, folder: Path) -> None:
    (folder / "site.yaml").write_text(block.text, encoding="utf-8")
    load(folder)


def sections(block: Block, folder: Path) -> None:
    """Further keys of a site."""
    parsed = yaml.safe_load(block.text)
    whole = yaml.safe_load(SMALLEST)
    for key, value in parsed.items():
        whole[key] = whole[key] + value if key in {"endpoints", "devices"} else value
    for name in ("plant-ca.pem", "ca.pem", "dcops.pem", "dcops.key"):
        (folder / name).touch()
    (folder / "site.yaml").write_text(yaml.safe_dump(whole, allow_unicode=True), encoding="utf-8")
    load(folder)


def device(block: Block, folder: Path) -> None:
    """An entry of ``devices``, beside those of the block before it."""
    before = next(each.text for each in blocks(ROOT / "docs" / "mqtt.md") if each.text.startswith("dcops: 1"))
    building = "  - {id: b1, level: building, in: campus}\n  - {id: rack-1, level: rack, in: b1}\n"
    before = before.replace("  - {id: rack-1, level: rack, in: campus}\n", building)
    (folder / "site.yaml").write_text(before + block.text, encoding="utf-8")
    load(folder)


def table(block: Block, folder: Path) -> None:
    """Rows of ``devices.csv``."""
    spaces = "  - {id: b1-h1-r1-k1, level: rack, in: campus}\n"
    text = SMALLEST.replace("endpoints:\n", spaces + "endpoints:\n").replace("id: gateway", "id: row-1")
    (folder / "site.yaml").write_text(text.partition("devices:")[0], encoding="utf-8")
    (folder / "devices.csv").write_text(block.text, encoding="utf-8")
    assert len(load(folder).site.devices) == len(block.text.splitlines()) - 1


def profile(block: Block, folder: Path) -> None:
    """Profiles, several with ``---`` between them; what they extend is there."""
    files = [folder / f"{number}.yaml" for number, _ in enumerate(block.text.split("---\n"))]
    for file, text in zip(files, block.text.split("---\n"), strict=True):
        file.write_text(text, encoding="utf-8")
    base = folder / "base.yaml"
    points = [
        {"name": name, "address": at, "data": "s16"}
        for at, name in enumerate(("active_power", "oil_pressure"))
    ]
    points[1]["type"] = "generic"
    acme = {
        "profile": "acme-chiller",
        "kind": "chiller",
        "protocol": "modbus",
        "table": "holding",
        "points": points,
    }
    base.write_text(yaml.safe_dump(acme), encoding="utf-8")
    read_files([base, *files])


def rest_of_a_profile(block: Block, folder: Path) -> None:
    """Some keys of a profile; the other ones are added."""
    written = yaml.safe_load(block.text)
    whole = {"profile": "x", "kind": "board_meter", "protocol": "modbus", "table": "holding"} | written
    whole.setdefault("points", [{"name": "active_power", "address": 0, "data": "s16"}])
    whole["points"] += [
        {"name": f"power_l{phase}", "type": "phase_power", "address": 90 + phase, "data": "s16"}
        for phase in (1, 2, 3)
        if f"power_l{phase}" not in {point["name"] for point in whole["points"]}
    ]
    (folder / "x.yaml").write_text(yaml.safe_dump(whole), encoding="utf-8")
    read_files([folder / "x.yaml"])


def register_map(block: Block, folder: Path) -> None:
    imported = import_map(block.text, "meter.csv")
    assert len(imported.profile.points) + len(imported.profile.texts) == len(block.text.splitlines()) - 2


def rules(block: Block, folder: Path) -> None:
    """Judged by tests/alerting/test_guide.py."""
    assert yaml.safe_load(block.text)["alarms"]["rules"]


def unit_file(block: Block, folder: Path) -> None:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(block.text)
    assert parser.sections() == ["Service"]


def answer(block: Block, folder: Path) -> None:
    """One JSON value."""
    json.loads(block.text)


def frames(block: Block, folder: Path) -> None:
    assert {"dcops_frames", "at"} <= {key for line in block.text.splitlines() for key in json.loads(line)}


def scenario(block: Block, folder: Path) -> None:
    """Steps there are, on a site of any kind."""
    assert {step["do"] for step in yaml.safe_load(block.text)["steps"]} <= STEPS.keys()


def shown(block: Block, folder: Path) -> None:
    """What is printed, drawn or computed: nobody types it."""


KINDS: dict[str, list[Callable[[Block, Path], None]]] = {
    "README.md": [shell, shell, site, shell],
    "deploy/README.md": [shell, shell, sections, shell, shell, shell, unit_file],
    "docs/alarms.md": [rules, rules, answer],
    "docs/api.md": [shown, shown, shown, answer],
    "docs/architecture.md": [shown, shown],
    "docs/benchmarks.md": [shell, shell, shell],
    "docs/collection.md": [with_what_is_said_behind, shown],
    "docs/commissioning.md": [shell, shell, shown, shell],
    "docs/devices.md": [shell, register_map],
    "docs/history.md": [sections, shell],
    "docs/journal.md": [sections, shell],
    "docs/mqtt.md": [site, device],
    "docs/profiles.md": [profile, shown, rest_of_a_profile, rest_of_a_profile, profile, profile, profile],
    "docs/scaling.md": [shell, shell, shell, unit_file],
    "docs/simulation.md": [shell, shell, scenario, shell, shell, shell, shell, frames, shell, shell],
    "docs/site.md": [shown, site, sections, table, site, sections, sections, shell, shell],
    "docs/stores.md": [sections, shown, shown, shell],
}
BLOCKS = [
    pytest.param(block, kind, id=f"{page}:{block.line}")
    for page, kinds in KINDS.items()
    for block, kind in zip(blocks(ROOT / page), kinds, strict=False)
]


def test_every_block_of_every_page_has_a_kind() -> None:
    counted = {str(page.relative_to(ROOT)): len(list(blocks(page))) for page in PAGES}
    assert {page: count for page, count in counted.items() if count} == {
        page: len(kinds) for page, kinds in KINDS.items()
    }


@pytest.mark.parametrize(("block", "kind"), BLOCKS)
def test_a_block_is_what_it_is_shown_as(
    block: Block, kind: Callable[[Block, Path], None], tmp_path: Path
) -> None:
    kind(block, tmp_path)


def test_what_is_installed_of_a_checkout_is_not_what_an_earlier_build_left_there() -> None:
    befores = [
        before
        for page in PAGES
        for block in blocks(page)
        for before, line in pairwise(["", *block.text.splitlines()])
        if re.search(r"pip install .* \.$", line)
    ]
    assert [each.partition("  ")[0] for each in befores] == ["rm -rf build"] * 2


OFFLINE = {"check", "site", "profile"}
"""Commands that need nothing but files."""


def test_commands_that_need_nothing_but_files_do_what_they_are_shown_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of them one after the other, in the order of the pages, in one folder."""
    map_ = next(
        each.text for each in blocks(ROOT / "docs" / "devices.md") if each.text.startswith("# source")
    )
    (tmp_path / "meter.csv").write_text(map_, encoding="utf-8")
    shutil.copytree(ROOT / "examples" / "hall", tmp_path / "site")
    monkeypatch.chdir(tmp_path)
    ran = []
    for page in PAGES:
        for words in commands(page.read_text("utf-8")):
            if words[0] in OFFLINE:
                assert main(words) == 0, (words, capsys.readouterr().err)
                ran.append(words[0])
    assert set(ran) == OFFLINE
    assert len(ran) == 8
    assert (tmp_path / "profiles" / "meter.yaml").exists()
    assert (tmp_path / "mysite" / "site.yaml").exists()
    assert (tmp_path / "campus" / "devices.csv").exists()
