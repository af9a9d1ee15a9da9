"""The embedded history where its files are damaged, foreign, gone, or held by somebody else."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from facility.catalogue import build_catalogue
from facility.site import Site
from ingest.errors import StoreUnavailableError
from ingest.stores.duckdb import DuckHistory
from tests.ingest.histories import DAY, entry, grid, power, rows
from tests.ingest.plant import DEVICES, GRID, K1_PDU, NOON, SECOND, SPACES, StillClock, sample


async def test_a_file_that_is_no_database_is_put_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "history.duckdb"
    path.write_bytes(b"something else " * 1000)
    store = DuckHistory(path, StillClock())
    await store.write([grid(1, 0, 1.0)])
    assert store.quarantined == 1
    assert (tmp_path / "history.duckdb.damaged-1").read_bytes().startswith(b"something else")
    assert "is no DuckDB file" in caplog.text
    await store.close()


@pytest.mark.parametrize("instead", ["nothing", "another one"])
async def test_a_database_that_was_removed_while_in_use_takes_nothing_until_it_is_back(
    tmp_path: Path, instead: str
) -> None:
    path, away = tmp_path / "history.duckdb", tmp_path / "away"
    store = DuckHistory(path, StillClock())
    await store.write([grid(1, 0, 1.0)])
    await store.compact()
    path.rename(away)
    store._database.close()  # as another thread does that meets an error
    if instead == "another one":
        other = DuckHistory(tmp_path / "other" / "history.duckdb", StillClock())
        await other.write([grid(1, 0, 7.0)])
        await other.close()
        (tmp_path / "other" / "history.duckdb").rename(path)
    for _ in range(2):
        with pytest.raises(
            StoreUnavailableError, match=r"removed or replaced while in use; .*start dcops anew"
        ):
            await store.write([grid(2, 1, 2.0)])
    away.replace(path)  # nothing of its folder was put aside meanwhile
    await store.write([grid(2, 1, 2.0)])
    assert await power(store) == [(0.0, 1.0, 192), (1.0, 2.0, 192)]
    await store.close()


@pytest.mark.parametrize("since", ["a series", "a file"])
async def test_an_older_copy_of_the_database_is_not_taken_for_the_one_in_use(
    tmp_path: Path, since: str
) -> None:
    path, copy, away = tmp_path / "history.duckdb", tmp_path / "copy", tmp_path / "away"
    few = build_catalogue(Site(name="North", spaces=SPACES, devices=DEVICES[:1]))
    store = DuckHistory(path, StillClock())
    await store.write([entry(1, sample(GRID, NOON, [1.0, 1.0]), of=few)])
    await store.back_up(copy)
    if since == "a series":
        await store.write([entry(2, sample(K1_PDU, NOON, [2.0]))])
    else:
        await store.compact()
    path.rename(away)
    shutil.copy(copy / "history.duckdb", path)
    store._database.close()  # as another thread does that meets an error
    with pytest.raises(StoreUnavailableError, match="was removed or replaced while in use"):
        await store.write([entry(3, sample(K1_PDU, NOON + SECOND, [3.0]))])
    away.replace(path)
    await store.write([entry(3, sample(K1_PDU, NOON + SECOND, [3.0]))])
    assert await power(store) == [(0.0, 1.0, 192)]
    assert rows(await store.history("k1-pdu-a.active_power", NOON, NOON + DAY))[-1] == (1.0, 3.0, 192)
    await store.close()


@pytest.mark.parametrize("left", [b"something else " * 1000, None])
async def test_files_that_no_database_tells_of_are_put_aside_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, left: bytes | None
) -> None:
    path, folder = tmp_path / "history.duckdb", tmp_path / "history.files"
    store = DuckHistory(path, StillClock())
    await store.write([grid(1, 0, 1.0)])
    await store.compact()
    await store.write([grid(2, 1, 2.0)])
    await store.close()
    before = sorted(each.name for each in folder.iterdir())
    path.unlink()
    (tmp_path / "history.duckdb.wal").write_bytes(b"of the former")
    if left is not None:
        path.write_bytes(left)
    store = DuckHistory(path, StillClock())
    await store.write([grid(1, 0, 7.0)])
    await store.compact()
    assert await power(store) == [(0.0, 7.0, 192)]
    await store.close()
    assert sorted(each.name for each in (tmp_path / "history.files.damaged-1").iterdir()) == before
    assert f"the files in {folder} are of another database" in caplog.text
    assert (tmp_path / "history.duckdb.wal.damaged-1").read_bytes() == b"of the former"


@pytest.mark.parametrize("cut", [True, False])
async def test_a_damaged_database_is_said_to_be_damaged(tmp_path: Path, *, cut: bool) -> None:
    path = tmp_path / "history.duckdb"
    store = DuckHistory(path, StillClock())
    await store.write([grid(1, 0, 1.0)])
    await store.compact()
    await store.close()
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] if cut else data[:12_400] + b"\xff" * 8 + data[12_408:])
    store = DuckHistory(path, StillClock())
    with pytest.raises(StoreUnavailableError, match=r"it is damaged: restore it and .*files from a backup"):
        await store.write([grid(2, 1, 2.0)])
    path.write_bytes(data)
    await store.write([grid(2, 1, 2.0)])
    assert await power(store) == [(0.0, 1.0, 192), (1.0, 2.0, 192)]
    await store.close()


async def test_a_damaged_write_ahead_log_is_said_to_be_damage_and_a_torn_one_is_not(tmp_path: Path) -> None:
    store = DuckHistory(tmp_path / "data" / "history.duckdb", StillClock())
    await store.write([grid(1, 0, 1.0)])
    for name in ("torn", "damaged"):  # as a kill would leave it
        shutil.copytree(tmp_path / "data", tmp_path / name)
    await store.close()
    log = tmp_path / "torn" / "history.duckdb.wal"
    data = log.read_bytes()
    log.write_bytes(data[:-1])
    store = DuckHistory(tmp_path / "torn" / "history.duckdb", StillClock())
    await store.write([grid(2, 1, 2.0)])
    assert await power(store) == [(0.0, 1.0, 192), (1.0, 2.0, 192)]
    await store.close()
    log = tmp_path / "damaged" / "history.duckdb.wal"
    at = len(data) // 2
    log.write_bytes(data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :])
    store = DuckHistory(tmp_path / "damaged" / "history.duckdb", StillClock())
    with pytest.raises(StoreUnavailableError, match=r"it is damaged: restore it and .*files from a backup"):
        await store.write([grid(2, 1, 2.0)])
    await store.close()


async def test_a_file_held_by_another_process_is_said_and_mended(tmp_path: Path) -> None:
    path = tmp_path / "history.duckdb"
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(  # noqa: ASYNC220 - nothing else runs on this loop
        [sys.executable, "-c", hold, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdout.readline()
        store = DuckHistory(path, StillClock())
        with pytest.raises(StoreUnavailableError, match="lock"):
            await store.write([grid(1, 0, 1.0)])
        holder.stdin.close()
        holder.wait()
    await store.write([grid(1, 0, 1.0)])
    await store.close()
