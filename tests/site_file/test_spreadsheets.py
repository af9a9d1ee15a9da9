"""Tables as spreadsheets write them and as people change them by hand: read as meant, or refused."""

from pathlib import Path

import pytest

from dcops.site_file import SiteProblems, load
from tests.site_file.sites import write_site

HEADER = "id,kind,in,profile,endpoint,unit,rated_kw,rated_a"
ROW = "pdu-2,rack_pdu,r1,rack-pdu,gw,2,130,"


def told(folder: Path) -> list[str]:
    """The mistakes of a site, without the folder."""
    with pytest.raises(SiteProblems) as caught:
        load(folder)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def devices(folder: Path, text: str | bytes) -> Path:
    """A site whose devices.csv is this."""
    site = write_site(folder)
    (site / "devices.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return site


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("above", ["", "\n", ",,,\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_every_form_that_spreadsheets_write_is_read(
    tmp_path: Path, separator: str, above: str, end: str, mark: str
) -> None:
    text = f"{mark}{above}{HEADER},,\n{ROW},,\n".replace(",", separator).replace("\n", end)

    site = load(devices(tmp_path, text)).site

    assert site.device("pdu-2").rated_power == 130_000.0


def test_a_decimal_comma_never_moves_values_into_other_columns(tmp_path: Path) -> None:
    folder = devices(tmp_path, f"{HEADER}\n{ROW.replace('130,', '130,5,')}\n")

    assert told(folder) == [
        "devices.csv:2: the row has 9 cells for 8 columns; add or remove separators, and write decimal points"
    ]


def test_a_separator_too_many_is_one_mistake_for_all_rows(tmp_path: Path) -> None:
    rows = "".join(ROW.replace("2", str(unit)) + ",\n" for unit in range(2, 30))

    (problem,) = told(devices(tmp_path, f"{HEADER}\n{rows}"))

    assert problem.endswith(", and write decimal points (also line 3, line 4, line 5 and 24 more)")


def test_values_under_no_name_are_not_left_out_in_silence(tmp_path: Path) -> None:
    text = f"{HEADER.replace('rated_kw', '')}\n{ROW}\n{ROW.replace('2', '3')}\n"

    mend = "name it in line 1, or empty the cell (also line 3)"
    assert told(devices(tmp_path, text)) == [
        f"devices.csv:2: '130' stands in column 7, which has no name; {mend}"
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (f"{HEADER}\n{ROW}\n".encode("utf-16"), "is UTF-16, not UTF-8; save it as UTF-8"),
        (b"\xfe\xff" + HEADER.encode("utf-16-be"), "is UTF-16, not UTF-8; save it as UTF-8"),
        (HEADER.encode("utf-32"), "is UTF-32, not UTF-8; save it as UTF-8"),
        (HEADER.encode("utf-16-le"), "a NUL byte stands here; save the file anew, as UTF-8"),
        (f"{HEADER}\n\npdu\0\n".encode(), "a NUL byte stands here; save the file anew, as UTF-8"),
        (
            b"PK\x03\x04\x14\0\x06\0",
            "is a spreadsheet or an archive, no text; save the sheet as CSV in UTF-8",
        ),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1",
            "is a spreadsheet or an archive, no text; save the sheet as CSV in UTF-8",
        ),
    ],
)
def test_what_is_no_text_in_utf8_is_called_what_it_is(tmp_path: Path, data: bytes, message: str) -> None:
    line = 3 if b"pdu\0" in data else 1

    assert told(devices(tmp_path, data)) == [f"devices.csv:{line}: {message}"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            f'"id" ,{HEADER}\n',
            "1: something follows a closing quote; quote the whole cell, with '\"\"' for a quote",
        ),
        (
            f'{HEADER}\n"{ROW}\n{ROW}\n',
            "2: a quote that opens in this row is never closed; close or remove it",
        ),
        (
            f"{HEADER}\n{'x' * 140_000}\n",
            "2: a cell of this row is longer than 131072 characters; shorten it",
        ),
    ],
)
def test_rows_that_cannot_be_split_are_told_in_words(tmp_path: Path, text: str, problem: str) -> None:
    assert told(devices(tmp_path, text)) == [f"devices.csv:{problem}"]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ('"800,5"', "'800,5' is not a number; write 800.5"),
        ('"1,800"', "'1,800' is not a number; write 1800 or 1.800"),
        ('"1,234,567.5"', "'1,234,567.5' is not a number; write 1234567.5"),
        ("1 800", "'1 800' is not a number; write 1800"),
        ("1\u202f800", "'1\\u202f800' is not a number; write 1800"),
        ("1'800", '"1\'800" is not a number; write 1800'),
        ("800 kW", "'800 kW' is not a number; write it without its unit: 800"),
        ("80%", "'80%' is not a number; write it without its unit: 80"),
        ("N/A", "'N/A' is not a number; write one"),
        ("#REF!", "'#REF!' is not a number; write one"),
    ],
)
def test_a_number_as_people_write_it_is_told_as_it_must_be(tmp_path: Path, cell: str, message: str) -> None:
    folder = devices(tmp_path, f"{HEADER}\n{ROW.replace('130', cell)}\n")

    assert told(folder) == [f"devices.csv:2: device pdu-2: rated_kw: {message}"]


def test_a_whole_number_with_a_point_is_told_as_it_must_be(tmp_path: Path) -> None:
    folder = devices(tmp_path, f"{HEADER}\n{ROW.replace(',2,', ',2.0,')}\n")

    assert told(folder) == ["devices.csv:2: device pdu-2: unit: '2.0' is not a whole number; write 2"]


@pytest.mark.parametrize(
    ("cell", "seen"),
    [("pdu\u200b-2", "U+200B, zero width space"), ("pdu\u00ad-2", "U+00AD, soft hyphen")],
)
def test_a_character_that_cannot_be_seen_is_named(tmp_path: Path, cell: str, seen: str) -> None:
    (problem,) = told(devices(tmp_path, f"{HEADER}\n{ROW.replace('pdu-2', cell)}\n"))

    assert problem.endswith(f" holds a character that cannot be seen ({seen}); delete it")


def test_no_message_is_as_long_as_what_it_is_about(tmp_path: Path) -> None:
    for cell in ("x" * 100_000, '"' + "x\n" * 50_000 + '"', "é" * 100_000):
        for text in (ROW.replace("pdu-2", cell), ROW.replace("rack_pdu", cell), ROW.replace("r1", cell)):
            assert all(len(each) < 500 for each in told(devices(tmp_path, f"{HEADER}\n{text}\n")))


@pytest.mark.parametrize(
    "name", ["devices.xlsx", "Devices.xls", "devices.ods", "devices.csv.txt", "devices.tsv"]
)
def test_a_sheet_that_is_not_read_is_told(tmp_path: Path, name: str) -> None:
    folder = write_site(tmp_path)
    (folder / name).write_bytes(b"PK")

    assert told(folder) == [f"{name}: is not read; save it as devices.csv, in UTF-8"]
    (folder / "devices.csv").write_text(f"{HEADER}\n{ROW}\n")
    assert load(folder).site.device("pdu-2").rated_power == 130_000.0


@pytest.mark.parametrize("hidden", ["\x85", "\u2028", "\u2029"])
def test_an_end_of_line_that_editors_hide_is_told_where_it_is(tmp_path: Path, hidden: str) -> None:
    folder = write_site(tmp_path, f"dcops: 1\nname: Test{hidden}x\ntimezone: NO\n")

    assert told(folder) == [
        f"site.yaml:2: U+{ord(hidden):04X} stands here, an end of line that editors hide; delete it"
    ]
