"""Edits of a site as people make them, good and bad, for reading it again after each."""

import csv
import io
import random
from pathlib import Path

from tests.site_file.text_edits import (
    RULES,
    Edit,
    added_to_site_file,
    broken_profile,
    in_site_file,
    no_profile,
    profile_comment,
    profile_without_a_point,
    rules_file,
    slower_profile,
)

Row = dict[str, str]


def chosen_by(seed: int) -> random.Random:
    """What is left to chance in an edit, the same each time."""
    return random.Random(seed)  # noqa: S311 - no secret


def text_of(table: Path) -> str:
    """With line ends as they are written, so that lines nobody touched stay as they are."""
    return table.read_bytes().decode()


def rows_of(table: Path) -> list[Row]:
    """The rows, whatever has become of the table; what cannot be read of it is lost."""
    text = text_of(table)
    separator = ";" if ";" in text.partition("\n")[0] else ","
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    return [{key: value or "" for key, value in row.items() if key is not None} for row in rows]


def write_rows(table: Path, rows: list[Row], separator: str = ",") -> None:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, delimiter=separator)
        writer.writeheader()
        writer.writerows(rows)


def one_row(folder: Path, choice: random.Random, table: str, **values: str) -> Row:
    """Change a row of a table; returns what it is now."""
    rows = rows_of(folder / table)
    row = choice.choice(rows)
    row.update(values)
    write_rows(folder / table, rows)
    return row


def device_of_kind(folder: Path, choice: random.Random, kind: str, **values: str) -> None:
    rows = rows_of(folder / "devices.csv")
    found = [row for row in rows if row["kind"] == kind]
    if found:
        choice.choice(found).update(values)
    write_rows(folder / "devices.csv", rows)


def remove_device(folder: Path, choice: random.Random) -> None:
    """One that something may hang on, which is a mistake then."""
    rows = rows_of(folder / "devices.csv")
    rows.remove(choice.choice(rows))
    write_rows(folder / "devices.csv", rows)


def remove_load(folder: Path, choice: random.Random) -> None:
    """A rack PDU and what is said of it."""
    rows = rows_of(folder / "devices.csv")
    gone = choice.choice([row for row in rows if row["kind"] == "rack_pdu"])
    rows.remove(gone)
    for row in rows:
        kept = [word for word in row["serves"].split() if word != gone["id"]]
        row["serves"] = " ".join(kept)
    write_rows(folder / "devices.csv", rows)


def add_device(folder: Path, choice: random.Random) -> None:
    """Another sensor somewhere in the table, on an endpoint of its own."""
    number = choice.randrange(10**6)
    endpoints = rows_of(folder / "endpoints.csv")
    modbus = choice.choice([row for row in endpoints if row["protocol"] == "modbus-tcp"])
    endpoints.append(modbus | {"id": f"gw-{number}", "port": str(choice.randrange(1000, 9000))})
    write_rows(folder / "endpoints.csv", endpoints)
    rows = rows_of(folder / "devices.csv")
    like = choice.choice([row for row in rows if row["kind"] in {"rack_pdu", "crah", "pump", "busway_tap"}])
    new = like | {"id": f"new-{number}", "endpoint": f"gw-{number}", "serves": "", "boundary": "none"}
    rows.insert(choice.randrange(len(rows)), new)
    write_rows(folder / "devices.csv", rows)


def add_device_beside(folder: Path, choice: random.Random) -> None:
    """Another one behind an endpoint that is there, which something supplies."""
    rows = rows_of(folder / "devices.csv")
    like = choice.choice([row for row in rows if row["kind"] in {"rack_pdu", "crah", "pump", "busway_tap"}])
    number = choice.randrange(10**6)
    unit = str(choice.randrange(100, 240)) if like["unit"] else ""
    rows.insert(choice.randrange(len(rows)), like | {"id": f"beside-{number}", "unit": unit, "serves": ""})
    feeding = choice.choice([row for row in rows if row["serves"]])
    feeding["serves"] += f" beside-{number}"
    write_rows(folder / "devices.csv", rows)


def serve_one_more(folder: Path, choice: random.Random) -> None:
    """Which may be counted twice then."""
    rows = rows_of(folder / "devices.csv")
    one, other = choice.choice([row for row in rows if row["serves"]]), choice.choice(rows)
    if one is not other and other["id"] not in one["serves"].split():
        one["serves"] += f" {other['id']}"
    write_rows(folder / "devices.csv", rows)


def exchange_ids(folder: Path, choice: random.Random) -> None:
    """Of two devices of a kind, so that each stands where the other stood."""
    rows = rows_of(folder / "devices.csv")
    one = choice.choice(rows)
    other = choice.choice([row for row in rows if row["kind"] == one["kind"]])
    one["id"], other["id"] = other["id"], one["id"]
    write_rows(folder / "devices.csv", rows)


def column_at_the_end(folder: Path, choice: random.Random) -> None:
    """Which may be filled in for one device; every line is another text then."""
    rows = rows_of(folder / "devices.csv")
    value = choice.choice(["", "100ms"])
    rows = [row | {"pause": row.pop("pause", "")} for row in rows]
    choice.choice([row for row in rows if row["unit"]])["pause"] = value
    write_rows(folder / "devices.csv", rows)


def column_between(folder: Path, choice: random.Random) -> None:
    rows = [{"pause": row.get("pause", "")} | row for row in rows_of(folder / "devices.csv")]
    write_rows(folder / "devices.csv", rows)


def last_column_gone(folder: Path, choice: random.Random) -> None:
    """With what was written in it."""
    rows = rows_of(folder / "devices.csv")
    last = list(rows[0])[-1]
    write_rows(
        folder / "devices.csv", [{key: cell for key, cell in row.items() if key != last} for row in rows]
    )


def topic_of_another(folder: Path, choice: random.Random) -> None:
    rows = rows_of(folder / "devices.csv")
    pushed = [row for row in rows if not row["unit"]]
    one = choice.choice(pushed)
    for row in choice.sample(pushed, min(2, len(pushed))):
        row |= {"endpoint": one["endpoint"], "profile": one["profile"], "topic": "the/same"}
    write_rows(folder / "devices.csv", rows)


def rename_device(folder: Path, choice: random.Random) -> None:
    """Everywhere."""
    table = folder / "devices.csv"
    row = choice.choice(rows_of(table))
    renamed = f"{row['id']}-{choice.randrange(100)}"
    rows = rows_of(table)
    for each in rows:
        each["serves"] = " ".join(renamed if word == row["id"] else word for word in each["serves"].split())
        each["id"] = renamed if each["id"] == row["id"] else each["id"]
    write_rows(table, rows)


def rename_row_alone(folder: Path, choice: random.Random) -> None:
    """Of any table, without what refers to it."""
    table = choice.choice(["devices.csv", "endpoints.csv", "spaces.csv"])
    one_row(folder, choice, table, id=f"renamed-{choice.randrange(10**6)}")


def move_device(folder: Path, choice: random.Random) -> None:
    spaces = rows_of(folder / "spaces.csv")
    one_row(folder, choice, "devices.csv", **{"in": choice.choice(spaces)["id"]})


def swap_rows(folder: Path, choice: random.Random) -> None:
    table = folder / choice.choice(["devices.csv", "endpoints.csv", "spaces.csv"])
    rows = rows_of(table)
    one, other = choice.randrange(len(rows)), choice.randrange(len(rows))
    rows[one], rows[other] = rows[other], rows[one]
    write_rows(table, rows)


def repeat_row(folder: Path, choice: random.Random) -> None:
    table = folder / choice.choice(["devices.csv", "endpoints.csv", "spaces.csv"])
    rows = rows_of(table)
    rows.insert(choice.randrange(len(rows)), choice.choice(rows))
    write_rows(table, rows)


def blank_line(folder: Path, choice: random.Random) -> None:
    table = folder / choice.choice(["devices.csv", "endpoints.csv", "spaces.csv"])
    lines = text_of(table).splitlines(keepends=True)
    lines.insert(choice.randrange(1, len(lines)), choice.choice(["\r\n", ",,,\r\n"]))
    table.write_text("".join(lines), encoding="utf-8", newline="")


def quoted_name(folder: Path, choice: random.Random) -> None:
    """A cell that is quoted; one of them goes over two lines, which is a mistake."""
    name = choice.choice(['Rack "1", left', "two\nlines", "a, b"])
    table = choice.choice(["devices.csv", "spaces.csv"])
    one_row(folder, choice, table, name=name)


def broken_quote(folder: Path, choice: random.Random) -> None:
    table = folder / "devices.csv"
    lines = text_of(table).splitlines(keepends=True)
    lines[choice.randrange(1, len(lines))] = '"open,never closed\r\n'
    table.write_text("".join(lines), encoding="utf-8", newline="")


def missing_cell(folder: Path, choice: random.Random) -> None:
    table = folder / "devices.csv"
    lines = text_of(table).splitlines(keepends=True)
    at = choice.randrange(1, len(lines))
    lines[at] = lines[at].rpartition(",")[0] + "\r\n"
    table.write_text("".join(lines), encoding="utf-8", newline="")


def cell_too_many(folder: Path, choice: random.Random) -> None:
    """Which says nothing else, but a row that does not fit its columns is not believed."""
    table = folder / "devices.csv"
    lines = text_of(table).splitlines(keepends=True)
    at = choice.randrange(1, len(lines))
    lines[at] = lines[at].rstrip() + ",more\r\n"
    table.write_text("".join(lines), encoding="utf-8", newline="")


def other_separator(folder: Path, choice: random.Random) -> None:
    table = folder / choice.choice(["devices.csv", "endpoints.csv", "spaces.csv"])
    write_rows(table, rows_of(table), ";")


def columns_in_another_order(folder: Path, choice: random.Random) -> None:
    """So that the same line would mean another thing."""
    table = folder / "devices.csv"
    rows = rows_of(table)
    names = list(rows[0])
    choice.shuffle(names)
    write_rows(table, [{name: row[name] for name in names} for row in rows])


def two_headings_exchanged(folder: Path, choice: random.Random) -> None:
    """While all rows stay as they are."""
    table = folder / "devices.csv"
    head, _, rest = text_of(table).partition("\n")
    names = head.rstrip("\r").split(",")
    one, other = names.index("rated_kw"), names.index("rated_a")
    names[one], names[other] = names[other], names[one]
    table.write_text(",".join(names) + "\r\n" + rest, encoding="utf-8", newline="")


def loop(folder: Path, choice: random.Random) -> None:
    rows = rows_of(folder / "devices.csv")
    feeding = [row for row in rows if row["serves"]]
    by_id = {row["id"]: row for row in rows}
    row = choice.choice(feeding)
    below = by_id.get(row["serves"].split()[0])
    if below is not None:
        below["serves"] = f"{below['serves']} {row['id']}".strip()
    write_rows(folder / "devices.csv", rows)


def one_device(**values: str) -> Edit:
    def edit(folder: Path, choice: random.Random) -> None:
        one_row(folder, choice, "devices.csv", **values)

    return edit


def one_endpoint(**values: str) -> Edit:
    def edit(folder: Path, choice: random.Random) -> None:
        one_row(folder, choice, "endpoints.csv", **values)

    return edit


def unit_of_another(folder: Path, choice: random.Random) -> None:
    rows = [row for row in rows_of(folder / "devices.csv") if row["unit"]]
    other = choice.choice(rows)
    one_row(folder, choice, "devices.csv", endpoint=other["endpoint"], unit=other["unit"])


EDITS: dict[str, Edit] = {
    "another timeout": one_device(timeout="2s"),
    "another period": one_device(period="30s"),
    "far too short a period": one_device(period="100ms"),
    "no period": one_device(period="soon"),
    "another rating": one_device(rated_kw="77"),
    "another name": one_device(name="Somewhere else"),
    "another boundary": one_device(boundary="none"),
    "a boundary too many": one_device(boundary="facility_input"),
    "another kind": one_device(kind="pump"),
    "a profile that is nowhere": one_device(profile="nothing-such"),
    "a profile of the same kind": lambda folder, choice: device_of_kind(
        folder, choice, "busway_tap", profile="busway-tap"
    ),
    "a unit that is another's": unit_of_another,
    "a device removed": remove_device,
    "a rack PDU removed": remove_load,
    "a device added": add_device,
    "a device added beside": add_device_beside,
    "one more is served": serve_one_more,
    "ids exchanged": exchange_ids,
    "a column at the end": column_at_the_end,
    "a column between": column_between,
    "the last column gone": last_column_gone,
    "a topic that is another's": topic_of_another,
    "a device renamed": rename_device,
    "a row renamed": rename_row_alone,
    "a device moved": move_device,
    "rows exchanged": swap_rows,
    "a row twice": repeat_row,
    "a blank line": blank_line,
    "a quoted cell": quoted_name,
    "a broken quote": broken_quote,
    "a missing cell": missing_cell,
    "a cell too many": cell_too_many,
    "semicolons": other_separator,
    "another order of columns": columns_in_another_order,
    "two headings exchanged": two_headings_exchanged,
    "a loop": loop,
    "another port": one_endpoint(port="4321"),
    "another protocol": one_endpoint(protocol="modbus-rtu-tcp", port="4001"),
    "a slow endpoint": one_endpoint(turnaround="9s"),
    "an unlikely host": one_endpoint(host="no host"),
    "a certificate": one_endpoint(protocol="modbus-tls", tls_ca="ca.pem"),
    "a slower profile": slower_profile,
    "a point less": profile_without_a_point,
    "a comment in a profile": profile_comment,
    "a broken profile": broken_profile,
    "a profile file removed": no_profile,
    "another time zone": in_site_file("Europe/Paris", "Europe/Oslo"),
    "another period of all": in_site_file("period: 10s", "period: 20s"),
    "an unknown key": added_to_site_file("nonsense: 1\n"),
    "broken YAML": added_to_site_file("  - [\n"),
    "a rule": added_to_site_file(RULES.replace("above", "high")),
    "a rule misspelt": added_to_site_file(RULES),
    "rules in a file": rules_file,
    "by exception": added_to_site_file(
        "storing:\n  - {points: air_inlet_temperature, deadband: 0.5 K, heartbeat: 10min}\n"
    ),
}
