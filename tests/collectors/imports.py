"""Maps in the CSV form, and what a device with the profile made of one tells."""

from collections.abc import Mapping

from collectors.decode import Decoder
from collectors.planning import BIT_TABLES, plan_groups
from collectors.profiles import ModbusProfile, Register, Table
from collectors.profiles.csv_map import ImportedProfile, import_map

HEADER = "name,register_type,address,data_type,word_order,scale,offset,unit,description"


def imported(*rows: str, comment: str = "", file: str = "acme.csv") -> ImportedProfile:
    lines = [f"# source: Manual p.1 (Acme PM1). {comment}", HEADER, *rows]
    return import_map("\n".join(lines) + "\n", file)


def register(found: ImportedProfile, name: str) -> Register:
    at = [point.name for point in found.profile.points].index(name)
    source = found.profile.sources[at]
    assert isinstance(source, Register)
    return source


def only(row: str, comment: str = "") -> Register:
    found = imported(row, comment=comment)
    return register(found, found.profile.points[0].name)


def notes(found: ImportedProfile) -> str:
    return "\n".join(map(str, found.notes))


def decoded(profile: ModbusProfile, words: Mapping[tuple[str, int], str]) -> dict[str, tuple[float, int]]:
    """What a device with these words tells, each address with as many as follow it."""
    memory: dict[tuple[Table, int], int] = {}
    for (table, start), written in words.items():
        for at, word in enumerate(written.split()):
            memory[Table(table), start + at] = int(word, 16)
    found: dict[str, tuple[float, int]] = {}
    for group in plan_groups(profile):
        payloads = []
        for block in group.blocks:
            held = [memory.get((block.table, block.address + at), 0) for at in range(block.count)]
            if block.table in BIT_TABLES:
                bits = sum(bit << at for at, bit in enumerate(held))
                payloads.append(bits.to_bytes(block.payload_length, "little"))
            else:
                payloads.append(b"".join(word.to_bytes(2, "big") for word in held))
        values, quality = Decoder(profile, group.blocks, group).decode(payloads)
        for at, point in enumerate(profile.points[group.first : group.first + group.count]):
            found[point.name] = (float(values[at]), int(quality[at]))
    return found
