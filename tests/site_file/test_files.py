"""Files that cannot be read, and files made to do harm."""

import os
from pathlib import Path

import pytest

from dcops.site_file import SiteProblems, load
from dcops.site_file.documents import MAX_BYTES
from tests.site_file.sites import HEAD, SITE, write_site


def only_problem(path: Path) -> str:
    with pytest.raises(SiteProblems) as caught:
        load(path)
    (problem,) = caught.value.problems
    return str(problem)


def test_path_that_does_not_exist(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"

    assert only_problem(path) == f"{path}: does not exist; check the path"


def test_folder_without_a_site_file(tmp_path: Path) -> None:
    assert only_problem(tmp_path) == (
        f"{tmp_path}: the folder has no site.yaml; add one that begins with 'dcops: 1' and 'name: …'"
    )


def test_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe.yaml"
    os.mkfifo(path)

    assert only_problem(path) == f"{path}: is not a file; give a YAML file or a folder with a site.yaml"


def test_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    with path.open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)

    assert only_problem(path) == f"{path}: is too large (64 MiB); files up to 64 MiB are read, split it"


def test_unreadable_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE)

    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)

    assert only_problem(path) == f"{path}: cannot be read (Permission denied); check its permissions"


def test_text_that_is_not_utf8_has_a_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"dcops: 1\nname: Orl\xe9ans\n")

    assert only_problem(path) == f"{path}:2: byte 0xe9 is not UTF-8; save the file as UTF-8"


def test_character_that_yaml_forbids_has_a_line(tmp_path: Path) -> None:
    path = tmp_path / "bell.yaml"
    path.write_text("dcops: 1\nname: Test\x07\n")

    assert only_problem(path).startswith(f"{path}:2: is not YAML: ")


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("{a: ", "}")], ids=["lists", "mappings"])
def test_deep_nesting_is_refused_before_it_can_exhaust_the_stack(
    tmp_path: Path, opening: str, closing: str
) -> None:
    path = tmp_path / "deep.yaml"
    path.write_text("spaces: " + opening * 20_000 + closing * 20_000)

    assert only_problem(path) == f"{path}:1: lists and mappings nest deeper than 50; flatten them"


def test_nesting_by_aliases_is_refused_too(tmp_path: Path) -> None:
    path = tmp_path / "deep.yaml"
    lines = ["a0: &a0 [x]", *(f"a{at}: &a{at} [*a{at - 1}]" for at in range(1, 500))]
    path.write_text("\n".join(lines))

    assert only_problem(path).endswith(": lists and mappings nest deeper than 50; flatten them")


def test_alias_within_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "loop.yaml"
    path.write_text("dcops: 1\nspaces: &all [*all]\n")

    assert only_problem(path) == f"{path}:2: no value is marked &all above; mark one or write it out"


def test_table_that_is_not_utf8_hides_no_mistake_behind_others(tmp_path: Path) -> None:
    folder = write_site(tmp_path)
    (folder / "spaces.csv").write_bytes(b"id,level,in,name\nr2,rack,b1,Orl\xe9ans\n")

    assert only_problem(folder) == f"{folder}/spaces.csv:2: byte 0xe9 is not UTF-8; save the file as UTF-8"


def test_cell_over_several_lines_keeps_the_line_numbers_right(tmp_path: Path) -> None:
    text = 'id,level,in,name\nr2,rack,b1,"Rack\n2"\nr3,rock,b1,\n'
    folder = write_site(tmp_path, spaces=text)

    with pytest.raises(SiteProblems) as caught:
        load(folder)
    assert [problem.line for problem in caught.value.problems] == [2, 4]


def test_empty_values_are_as_good_as_none(tmp_path: Path) -> None:
    folder = write_site(tmp_path, SITE + "stores:\nnotify: ~\nprofiles: []\nalarms:\n")

    assert load(folder).stores == ()


def test_a_huge_number_is_refused_and_not_converted(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(HEAD + SITE.partition(HEAD)[2].replace("unit: 1,", f"unit: {'9' * 5000},"))

    assert "is not a whole number; write one" in only_problem(path)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("devices.csv", "air,rpp,b1,rpp,gw\n", "devices.csv:1: the first row names no column; begin with "),
        ("devices.csv", "id|kind|in|profile|endpoint\n", "devices.csv:1: the first row names no column"),
        ("devices.csv", "id,kind,in,profil,endpoint\n", "unknown column 'profil'; did you mean 'profile'?"),
        ("spaces.csv", "ID,level\n", "spaces.csv:1: unknown column 'ID'; did you mean 'id'?"),
        (
            "Devices.csv",
            "id,kind,in,profile,endpoint\n",
            "Devices.csv: is not read; rename it to devices.csv",
        ),
    ],
)
def test_a_table_nobody_can_read_is_one_mistake(tmp_path: Path, name: str, text: str, told: str) -> None:
    folder = write_site(tmp_path)
    (folder / name).write_text(text, encoding="utf-8")

    with pytest.raises(SiteProblems) as caught:
        load(folder)

    assert len(caught.value.problems) == 1
    assert told in str(caught.value)


def test_a_misspelt_column_is_one_mistake_and_no_row_is_told_to_lack_it(tmp_path: Path) -> None:
    rows = "".join(f"pdu-{number},rack_pdu,r1,rack-pdu,gw,{number}\n" for number in range(2, 9))
    folder = write_site(tmp_path)
    (folder / "devices.csv").write_text(f"id,kind,in,profile,endpoint,unti\n{rows}", encoding="utf-8")

    assert only_problem(folder) == f"{folder}/devices.csv:1: unknown column 'unti'; did you mean 'unit'?"


def test_a_table_that_is_a_link_to_nowhere_is_told(tmp_path: Path) -> None:
    folder = write_site(tmp_path)
    (folder / "devices.csv").symlink_to("not-there.csv")

    with pytest.raises(SiteProblems, match=r"devices\.csv: does not exist; check the path"):
        load(folder)


def test_who_writes_a_part_of_a_name_means_the_only_one_that_has_it(tmp_path: Path) -> None:
    folder = write_site(tmp_path, SITE.replace("kind: rack_pdu", "kind: pdu"))

    assert only_problem(folder).endswith("kind: 'pdu' is no device kind; did you mean 'rack_pdu'?")
