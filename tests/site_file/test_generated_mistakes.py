"""Ten mistakes in a generated site are ten problems, though hundreds of items refer to what is wrong."""

from pathlib import Path

import pytest

from dcops.site_file import SiteProblems, load
from simulators.sitegen import PRESETS, generate, write_site

CHANGES = (
    (
        "endpoints.csv",
        "b1-h1-r01-pdus,modbus-tcp,127.0.0.1,20000",
        "b1-h1-r01-pduz,modbus-tcp,127.0.0.1,20000",
    ),
    ("endpoints.csv", "b1-water,modbus-tcp,127.0.0.1,", "b1-water,modbus-tcp,http://127.0.0.1,"),
    ("spaces.csv", "b1-h1-r02,row,", "b1-h1-r02,rack,"),
    ("spaces.csv", "b1-h1-r01-k02,rack,", "b1-h1-r01-k01,rack,"),
    ("devices.csv", "b1-h1-r01-k03-tap-a,busway_tap,", ",busway_tap,"),
    ("devices.csv", "b1-h1-r01-k04-tap-a,busway_tap,", "b1-h1-r01-k04 tap,busway_tap,"),
    ("devices.csv", "b1-h1-r01-k05-pdu-a,rack_pdu,", "b1-h1-r01-k05-pdu-a,rackpdu,"),
    ("devices.csv", "b1-h1-r01-k06-tap-a,busway_tap,", "b1-h1-r01-k06-tap-b,busway_tap,"),
    ("site.yaml", "period: 10s", "period: 10 sec"),
    ("site.yaml", "timezone: Europe/Paris", "timezone: Europe/Pariss"),
)
TOLD = (
    "endpoint: 'b1-h1-r01-pdus' is not in this site; did you mean 'b1-h1-r0",
    "b1-water: host: 'http://127.0.0.1' is no host",
    "a rack cannot stand in a rack (b1-h1-r02)",
    "space b1-h1-r01-k01: this id is taken",
    "device: id is missing",
    "id: 'b1-h1-r01-k04 tap' is no id",
    "kind: 'rackpdu' is no device kind",
    "device b1-h1-r01-k06-tap-b: this id is taken",
    "'10 sec' is no duration",
    "'Europe/Pariss' is no time zone; did you mean 'Europe/Paris'?",
)


def test_ten_mistakes_in_a_generated_site_are_ten_problems(tmp_path: Path) -> None:
    write_site(generate(PRESETS["demo"], 1), tmp_path)
    for file, right, wrong in CHANGES:
        text = (tmp_path / file).read_text(encoding="utf-8")
        assert text.count(right) == 1
        (tmp_path / file).write_text(text.replace(right, wrong), encoding="utf-8")

    with pytest.raises(SiteProblems) as caught:
        load(tmp_path)

    told = [str(problem) for problem in caught.value.problems]
    assert len(told) == 10, "\n".join(told)
    for words in TOLD:
        assert sum(words in line for line in told) == 1, words
