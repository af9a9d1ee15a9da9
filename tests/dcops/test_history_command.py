"""``dcops history`` on a folder of its own, and on one that a running dcops has."""

import asyncio
import csv
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import duckdb
import pytest
from aiohttp.test_utils import TestServer

from console.app import build_app
from console.showing import Showing
from dcops.cli import main
from dcops.snapshots import Snapshots
from ingest.stores.duckdb import DuckHistory
from tests.console.campus import build_site
from tests.console.plant import Plant
from tests.dcops.lines import lines_of
from tests.ingest.histories import HOUR, steady
from tests.ingest.plant import NOON, StillClock


async def run(*arguments: object) -> int:
    return await asyncio.to_thread(main, ["history", *map(str, arguments)])


async def outside(*arguments: object) -> tuple[int, list[str], str]:
    """In a process of its own, as only one may have the file: exit code, output, errors."""
    command = (sys.executable, "-m", "dcops", "history", *map(str, arguments))
    process = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    output, errors = await process.communicate()
    return process.returncode or 0, output.decode().splitlines(), errors.decode()


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """Twelve minutes of the grid meter in files, and a minute that is still hot."""
    folder = tmp_path / "data"
    history = DuckHistory(folder / "history.duckdb", StillClock(NOON + HOUR))
    await history.write([steady(1, 0, 72)])
    await history.compact()
    await history.write([steady(2, 720, 6, power=8.0)])
    await history.close()
    return folder


class Running(Plant):
    """A console over a history that is in use."""

    history_in_use: DuckHistory
    folder: Path

    async def take_snapshot(self) -> Path:
        return await Snapshots(self.folder, self.history_in_use, StillClock(NOON)).take()


@pytest.fixture
async def running(data: Path) -> AsyncIterator[str]:
    plant = Running(build_site())
    plant.history_in_use = DuckHistory(data / "history.duckdb", StillClock(NOON + HOUR))
    plant.folder = data / "snapshots"
    await plant.history_in_use.write([steady(3, 780, 1, power=9.0)])
    server = TestServer(build_app(Showing(plant.view())))
    await server.start_server()
    yield f"http://127.0.0.1:{server.port}"
    await server.close()
    await plant.history_in_use.close()


async def test_info_tells_what_is_stored(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run("info", "--data", data) == 0
    out = lines_of(capsys)
    assert out[0].split() == ["level", "files", "rows", "bytes", "from", "to"]
    told = {line.split()[0]: line.split() for line in out[1:7]}
    (log,) = (data / "history.files").glob("hot-*.log")
    hot = ["hot", "0", "12", str(log.stat().st_size), "2026-01-01", "12:12:00", "2026-01-01", "12:12:50"]
    assert told["hot"] == hot
    assert told["device"][:3] == ["device", "1", "144"]
    assert told["derived"][1:] == ["0", "0", "0", "–", "–"]
    assert told["1min"][:3] == ["1min", "1", "24"]
    assert " series, " in out[7]
    assert await run("info", "--data", data, "--series", "grid.*") == 0
    assert lines_of(capsys) == ["grid.active_energy", "grid.active_power"]


async def test_readings_are_exported_to_parquet(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "out" / "power.parquet"
    arguments = ("--start", "2026-01-01T12:11:50", "--stop", "2026-01-01T14:12:10+02:00", "--output", output)
    assert await run("export", "--data", data, "--series", "*.active_power", *arguments) == 0
    with duckdb.connect() as tool:
        found = tool.execute(
            f"SELECT series, strftime(time, '%H:%M:%S'), value, quality FROM read_parquet('{output}')"
        ).fetchall()
    assert found == [
        ("grid.active_power", "12:11:50", 5.0, 192),
        ("grid.active_power", "12:12:00", 8.0, 192),
    ]


async def test_buckets_are_exported_to_csv(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "minutes.csv"
    chosen = ("--series", "grid.active_energy", "--level", "1min", "--output", output)
    assert await run("export", "--data", data, *chosen) == 0
    with output.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert rows[1] == {
        "series": "grid.active_energy",
        "time": "2026-01-01 12:01:00",
        "minimum": "6.0",
        "mean": "8.5",
        "maximum": "11.0",
        "last": "11.0",
        "coverage": "1.0",
        "quality": "192",
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--series", "*", "--start", "2026-02-01", "--stop", "2026-01-31", "--output", "x.csv"),
            "nothing lies between --start and --stop; give a later --stop",
        ),
        (("--series", "nothing.*", "--output", "x.csv"), "no series fits 'nothing.*'"),
        (
            ("--series", "*", "--output", "x.xlsx"),
            "x.xlsx is of no known kind; end its name with .parquet or .csv",
        ),
    ],
)
async def test_what_cannot_be_exported_is_said(
    data: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert await run("export", "--data", data, *arguments) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("below", ["x.parquet", "deeper/x.parquet"])
async def test_an_export_below_a_file_says_what_is_in_the_way(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], below: str
) -> None:
    (tmp_path / "out.csv").write_text("kept", encoding="utf-8")
    output = tmp_path / "out.csv" / below
    assert await run("export", "--data", data, "--series", "*", "--output", output) == 1
    said = capsys.readouterr().err
    assert said.endswith("; a file is where its folder should be: give the path of a folder\n")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == "kept"


async def test_a_file_of_the_history_that_is_missing_is_named_with_what_to_do(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (missing,) = (data / "history.files").glob("device-*.parquet")
    missing.unlink()
    assert await run("export", "--data", data, "--series", "*", "--output", tmp_path / "x.csv") == 1
    said = capsys.readouterr().err
    assert f"{missing}" in said
    assert said.endswith(
        "; restore that file from a backup: dcops history check lists all that are missing\n"
    )
    assert await run("check", "--data", data) == 1
    assert f"{missing.name} is missing; restore it from a backup\n" in capsys.readouterr().err


@pytest.mark.parametrize("action", ["info", "check", "compact"])
async def test_a_file_that_is_no_history_is_said_to_be_none_and_left_alone(
    data: Path, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    path = data / "history.duckdb"
    path.write_bytes(b"something else entirely")
    assert await run(action, "--data", data) == 1
    assert capsys.readouterr().err.startswith(f"dcops history {action}: {path} is no DuckDB file; ")
    assert path.read_bytes() == b"something else entirely"


async def test_a_check_ends_with_1_if_something_is_wrong(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run("check", "--data", data) == 0
    assert lines_of(capsys)[-1].endswith("no problems")
    next((data / "history.files").glob("1min-*")).write_bytes(b"")
    assert await run("check", "--data", data) == 1
    assert "its checksum is not the one it was written with" in capsys.readouterr().err


async def test_a_backup_can_be_used_as_it_is(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run("backup", tmp_path / "copy", "--data", data) == 0
    files = [path for path in (tmp_path / "copy").rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    assert capsys.readouterr().out.startswith(f"{tmp_path}/copy: {size} bytes in ")
    assert await run("backup", tmp_path / "copy", "--data", data) == 1
    assert "is there already" in capsys.readouterr().err
    assert await run("check", "--data", tmp_path / "copy") == 0


async def test_compact_moves_what_is_hot_and_removes_nothing(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run("compact", "--data", data) == 0
    told = [line.split()[:3] for line in lines_of(capsys)]
    assert ["hot", "0", "0"] in told
    assert ["device", "1", "156"] in told


async def test_a_running_dcops_is_asked_for_a_copy(running: str, data: Path, tmp_path: Path) -> None:
    where = ("--data", data, "--url", running)
    assert (await outside("backup", tmp_path / "copy", *where))[0] == 0
    assert (await outside("check", *where))[:2] == (0, ["3 files, 184 rows: no problems"])
    output = tmp_path / "all.csv"
    assert (await outside("export", "--series", "*power", "--output", output, *where))[0] == 0
    assert len(output.read_text().splitlines()) == 80
    assert list((data / "snapshots").iterdir()) == []
    _, told, _ = await outside("info", "--data", tmp_path / "copy")
    hot = next(line.split() for line in told if line.startswith("hot"))
    log = tmp_path / "copy" / "history.files" / "hot-00000002.log"
    assert hot[:4] == ["hot", "0", "14", str(log.stat().st_size)]


async def test_the_wrong_folder_or_no_answer_is_said(running: str, data: Path, tmp_path: Path) -> None:
    code, _, said = await outside("info", "--data", tmp_path / "nowhere")
    assert code == 1
    assert said == (
        f"dcops history info: there is no history in {tmp_path / 'nowhere'} (no history.duckdb); give the"
        " data folder with --data, or start dcops with it first\n"
    )
    code, _, said = await outside("info", "--data", data, "--url", "http://127.0.0.1:1")
    assert code == 1
    assert "nothing answers at http://127.0.0.1:1: Connection refused" in said
    code, _, said = await outside("compact", "--data", data, "--url", running)
    assert (code, "Could not set lock" in said, "stop dcops, which has it open" in said) == (1, True, True)


async def test_old_copies_are_removed(data: Path) -> None:
    clock = StillClock(NOON)
    history = DuckHistory(data / "history.duckdb", clock)
    snapshots = Snapshots(data / "snapshots", history, clock)
    first = await snapshots.take()
    clock.time += 23 * HOUR
    second = await snapshots.take()
    clock.time += 2 * HOUR
    third = await snapshots.take()
    assert sorted((data / "snapshots").iterdir()) == sorted([second, third])
    assert first not in {second, third}
    await history.close()
