"""A site that is read again says what reading it for the first time would, whatever was done to its files."""

import os
import shutil
from pathlib import Path

import pytest

from dcops.site_file import LoadedSite, SiteProblems, SiteReader, load
from simulators.sitegen import SiteShape, generate, write_site
from tests.site_file.edits import EDITS, chosen_by, one_row, rows_of, write_rows

CASES = Path(__file__).parent / "cases"
SHAPE = SiteShape(rows=1, racks=4, outlets=36)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original") / "site"
    write_site(generate(SHAPE, 1), folder)
    rows = rows_of(folder / "devices.csv")
    for row in rows:
        row |= {"name": "", "period": "", "timeout": ""}
    write_rows(folder / "devices.csv", rows)
    return folder


def copied(original: Path, tmp_path: Path) -> Path:
    shutil.copytree(original, tmp_path / "site")
    return tmp_path / "site"


def put_back(original: Path, folder: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(original, folder)


def outcome(read: SiteReader | Path) -> LoadedSite | tuple[str, ...]:
    """The site, or all that is wrong with it."""
    try:
        return read.load() if isinstance(read, SiteReader) else load(read)
    except SiteProblems as problems:
        return tuple(map(str, problems.problems))


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_and_its_mend_are_read_as_if_for_the_first_time(
    name: str, original: Path, tmp_path: Path
) -> None:
    folder = copied(original, tmp_path)
    reader = SiteReader(folder)
    before = reader.load()
    for seed in range(3):
        EDITS[name](folder, chosen_by(seed))

        assert outcome(reader) == outcome(folder)

        put_back(original, folder)
        assert outcome(reader) == before == outcome(folder)


@pytest.mark.parametrize("seed", range(12))
def test_any_row_of_edits_is_read_as_if_for_the_first_time(seed: int, original: Path, tmp_path: Path) -> None:
    folder, choice = copied(original, tmp_path), chosen_by(seed)
    reader, good = SiteReader(folder), tmp_path / "good"
    shutil.copytree(folder, good)
    reader.load()
    taken = 0
    for _ in range(12):
        EDITS[choice.choice(list(EDITS))](folder, choice)

        found = outcome(reader)

        assert found == outcome(folder)
        if isinstance(found, LoadedSite):
            taken += 1
            shutil.rmtree(good)
            shutil.copytree(folder, good)
        elif choice.random() < 0.7:
            put_back(good, folder)
    assert taken


@pytest.mark.parametrize("case", sorted(each.name for each in CASES.iterdir()))
def test_a_mistake_in_a_site_that_was_good_is_told_in_the_same_words(
    case: str, original: Path, tmp_path: Path
) -> None:
    folder = copied(original, tmp_path)
    reader = SiteReader(folder)
    before = reader.load()
    shutil.rmtree(folder)
    shutil.copytree(CASES / case, folder)

    found = outcome(reader)

    assert isinstance(found, tuple)
    assert found == outcome(folder)
    put_back(original, folder)
    assert outcome(reader) == before


def test_what_is_written_as_it_was_is_the_very_same(original: Path, tmp_path: Path) -> None:
    folder = copied(original, tmp_path)
    reader = SiteReader(folder)
    before = reader.load()
    changed = one_row(folder, chosen_by(1), "devices.csv", name="Another name")["id"]

    now = reader.load()

    assert now.site.device(changed).name == "Another name"
    others = [each for each in now.site.devices if each.id != changed]
    assert all(each is before.site.device(each.id) for each in others)
    assert all(one is other for one, other in zip(now.plan.endpoints, before.plan.endpoints, strict=True))
    kept = {each.device: each for each in before.plan.modbus}
    assert all(each is kept[each.device] for each in now.plan.modbus if each.device != changed)


def test_a_site_that_is_written_as_it_was_is_the_very_same(original: Path, tmp_path: Path) -> None:
    reader = SiteReader(copied(original, tmp_path))

    assert reader.load().site is reader.load().site


def test_a_file_that_comes_or_goes_is_seen(original: Path, tmp_path: Path) -> None:
    """A certificate is named in a table that stays as it is."""
    folder = copied(original, tmp_path)
    rows = rows_of(folder / "endpoints.csv")
    for row in rows:
        if row["protocol"] == "modbus-tcp":
            row |= {"protocol": "modbus-tls", "tls_ca": "ca.pem"}
            break
    write_rows(folder / "endpoints.csv", rows)
    reader = SiteReader(folder)

    (warning,) = reader.load().warnings
    assert "'ca.pem' is not there" in str(warning)
    (folder / "ca.pem").touch()
    assert reader.load().warnings == ()
    (folder / "ca.pem").unlink()
    assert reader.load().warnings == (warning,)


def test_a_text_of_the_same_length_and_time_is_read(original: Path, tmp_path: Path) -> None:
    folder = copied(original, tmp_path)
    table = folder / "spaces.csv"
    reader = SiteReader(folder)
    before, info = reader.load(), table.stat()
    table.write_bytes(table.read_bytes().replace(b"Generated campus", b"Separated campus"))
    os.utime(table, ns=(info.st_atime_ns, info.st_mtime_ns))

    assert table.stat().st_size == info.st_size
    assert (before.site.campus.name, reader.load().site.campus.name) == (
        "Generated campus",
        "Separated campus",
    )
