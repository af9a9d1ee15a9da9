"""``dcops site generate`` writes what ``dcops check`` accepts, and never over what is there."""

from pathlib import Path

import pytest

from dcops.commands import check, site
from tests.site_file.arguments import parsed


def generate(*arguments: str) -> int:
    return site.run(parsed(site, "site", "generate", *arguments))


def test_what_it_writes_passes_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "site"

    assert generate(str(folder), "--preset", "demo") == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{folder}/site.yaml: 25 spaces, 134 devices, 38 endpoints",
        f"Next: dcops check {folder}",
    ]
    assert check.run(parsed(check, "check", str(folder))) == 0


def test_sizes_and_addresses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--buildings", "2", "--halls", "1", "--rows", "3", "--racks", "4", "--rack-kw", "60"]
    generate(
        str(tmp_path), *sizes, "--base-port", "6000", "--broker-port", "6999", "--period", "2s", "--seed", "5"
    )

    assert capsys.readouterr().out.startswith(f"{tmp_path}/site.yaml: 35 spaces, ")
    assert "collection: {period: 2s}" in (tmp_path / "site.yaml").read_text()
    endpoints = (tmp_path / "endpoints.csv").read_text().splitlines()
    assert endpoints[1:3] == ["broker,mqtt,127.0.0.1,6999", "b1-h1-r01-pdus,modbus-tcp,127.0.0.1,6000"]
    assert "b2-h1-r03-k04,rack,b2-h1-r03,Rack 4,60,4" in (tmp_path / "spaces.csv").read_text().splitlines()


def test_folder_that_is_not_empty_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "site.yaml").write_text("mine")

    assert generate(str(tmp_path)) == 1
    assert (tmp_path / "site.yaml").read_text() == "mine"
    assert capsys.readouterr().err == f"{tmp_path}: is not empty; choose another folder or add --force\n"


def test_force_replaces_the_files(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("mine")

    assert generate(str(tmp_path), "--force") == 0
    assert (tmp_path / "site.yaml").read_text() != "mine"


def test_large_sites_show_progress(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generate(str(tmp_path), "--rows", "10", "--racks", "100")

    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"{tmp_path}/spaces.csv: 1,013 rows"
    assert [line.partition(":")[0] for line in lines[1:]] == [
        f"{tmp_path}/endpoints.csv",
        f"{tmp_path}/devices.csv",
    ]


def test_impossible_sizes_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate(str(tmp_path), "--racks", "0") == 1
    assert capsys.readouterr().err == "dcops site generate: racks is 0; it must be 1 or more\n"


def test_a_file_in_the_way_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "file"
    path.write_text("")

    assert generate(str(path)) == 1
    mend = "give the path of a folder: a file is in the way"
    assert capsys.readouterr().err == f"{path}: cannot be written (Not a directory); {mend}\n"


def test_a_host_that_is_none_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        generate(str(tmp_path), "--host", "10.1.2.300")

    assert ended.value.code == 2
    mend = "write a name or an address, without scheme or port"
    assert f"'10.1.2.300' is no host; {mend}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_period_without_unit_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        generate(str(tmp_path), "--period", "10")

    assert ended.value.code == 2
    assert (
        "'10' is no duration; write a number with ms, s, min, h or d, such as 10s" in capsys.readouterr().err
    )


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        generate("--help")

    assert ended.value.code == 0
    assert "dcops site generate demo/ --preset demo" in capsys.readouterr().out
