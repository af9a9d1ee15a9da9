"""``dcops profile``: device profiles imported from register maps, listed, shown and checked."""

import argparse
import codecs
import errno
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from collectors.errors import ProfileError
from collectors.profiles import Profile
from collectors.profiles.csv_map import import_map
from collectors.profiles.document import one_of
from collectors.profiles.reader import read_files, shipped
from collectors.profiles.schema import profile_schema
from dcops.errors import mend_of
from dcops.profile_listing import listing, markdown, page
from dcops.site_file.problems import near
from facility.devices import DeviceKind

_EXAMPLE = """examples:
  dcops profile list --kind rack_pdu
  dcops profile show eastron-sdm630
  dcops profile import meter.csv --output profiles/meter.yaml
  dcops profile validate profiles/*.yaml
"""
_IMPORT_EXAMPLE = """examples:
  dcops profile import meter.csv
  dcops profile import meter.csv --output profiles/meter.yaml --kind board_meter
  dcops profile import meter.csv --name acme-pm100 > acme-pm100.yaml

FILE.csv is one comment line (# source: DOCUMENT (MAKER AND MODEL). QUIRKS; ...), the header
  name,register_type,address,data_type,word_order,scale,offset,unit,description
and one row per register. What had to be assumed is reported on stderr: read it, it is short.
"""
_SHOW_EXAMPLE = """examples:
  dcops profile show victron-gx-battery
  dcops profile show profiles/meter.yaml
"""
_LIST_EXAMPLE = """examples:
  dcops profile list
  dcops profile list --kind chiller
"""
_VALIDATE_EXAMPLE = """examples:
  dcops profile validate profiles/*.yaml

Every mistake is one line, FILE:LINE: what is wrong; how to fix it. Exit code 1 if there are any.
"""
_SCHEMA_EXAMPLE = """examples:
  dcops profile schema > profile.schema.json

An editor checks a profile as you type, for example with this first line in it:
  # yaml-language-server: $schema=profile.schema.json
"""

_BEGINNING = 4096
"""Bytes in which a binary file shows itself."""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "profile",
        help="import, show, list and check device profiles",
        description="Device profiles describe what a make of device offers.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    importing = _action(actions, "import", "make a profile from a register map", _IMPORT_EXAMPLE, _import)
    importing.add_argument("file", metavar="FILE.csv", type=Path, help="register map")
    importing.add_argument(
        "--output", metavar="PROFILE.yaml", type=Path, help="where to write (default: standard output)"
    )
    importing.add_argument("--name", help="name of the profile (default: from the name of the file)")
    importing.add_argument(
        "--kind", type=_kind, metavar="KIND", help="kind of device (default: guessed, and reported)"
    )
    showing = _action(
        actions,
        "show",
        "show the points of a profile, how they are read and what to beware of",
        _SHOW_EXAMPLE,
        _show,
    )
    showing.add_argument("profile", metavar="NAME|FILE", help="shipped profile, or a file")
    lists = _action(actions, "list", "list the shipped profiles", _LIST_EXAMPLE, _list)
    lists.add_argument("--kind", type=_kind, metavar="KIND", help="only profiles of this kind of device")
    lists.add_argument(
        "--markdown", action="store_true", help="as the table of docs/devices.md: real devices, with sources"
    )
    validating = _action(
        actions, "validate", "print every mistake in profile files", _VALIDATE_EXAMPLE, _validate
    )
    validating.add_argument("files", metavar="FILE", type=Path, nargs="+", help="profile file")
    _action(actions, "schema", "print the JSON schema of profiles, for editors", _SCHEMA_EXAMPLE, _schema)


def _action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    text: str,
    example: str,
    run: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    parser = actions.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=example,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def _kind(text: str) -> DeviceKind:
    try:
        return DeviceKind(text)
    except ValueError:
        rule = one_of(text, DeviceKind)
        raise argparse.ArgumentTypeError(f"{text!r} is no kind of device; {rule}") from None


def _import(args: argparse.Namespace) -> int:
    file: Path = args.file
    output: Path | None = args.output
    try:
        imported = import_map(_read(file), str(file), name=args.name, kind=args.kind)
        kept = _write(output, imported.text) if output is not None else None
    except _CannotError as error:
        print(error, file=sys.stderr)
        return 1
    except ProfileError as error:
        return _tell(error, f"{file}: nothing written")
    for note in imported.notes:
        print(f"note: {note}", file=sys.stderr)
    if kept is not None:
        print(f"note: {output} was there already; what it said is now in {kept}", file=sys.stderr)
    if output is None:
        print(imported.text, end="")
        return 0
    profile = imported.profile
    print(
        f"{output}: {profile.name}, {profile.kind}, {len(profile.points)} points, {len(profile.texts)} texts"
    )
    print(f"Next: dcops profile show {output}")
    return 0


def _show(args: argparse.Namespace) -> int:
    named: str = args.profile
    known = shipped()
    if named in known:
        found = known[named]
    elif Path(named).exists():
        try:
            found = next(iter(read_files([Path(named)]).values()))
        except ProfileError as error:
            return _tell(error, f"{named}: not shown")
    else:
        mend = near(named, known) or "see 'dcops profile list'"
        print(f"{named}: neither a shipped profile nor a file; {mend}", file=sys.stderr)
        return 1
    for line in page(found):
        print(line)
    return 0


def _list(args: argparse.Namespace) -> int:
    wanted: DeviceKind | None = args.kind
    found: list[Profile] = [each for each in shipped().values() if wanted in {None, each.kind}]
    if not found:
        print(f"no profile of kind {wanted} is shipped; import one from a register map", file=sys.stderr)
        return 0
    lines = markdown(found) if args.markdown else listing(found)
    for line in lines:
        print(line)
    return 0


def _validate(args: argparse.Namespace) -> int:
    files: list[Path] = args.files
    try:
        found = read_files(files)
    except ProfileError as error:
        return _tell(error, "")
    for profile in found.values():
        print(f"{profile.name}: {profile.kind}, {len(profile.points)} points, no mistakes")
    return 0


def _schema(_args: argparse.Namespace) -> int:
    print(json.dumps(profile_schema(), indent=2, ensure_ascii=False))
    return 0


class _CannotError(Exception):
    """A file cannot be read or written; the message names it and the mend."""


def _read(file: Path) -> str:
    try:
        read = file.read_bytes()
    except OSError as error:
        raise _CannotError(f"{file}: cannot be read ({error.strerror}); {_mend_reading(error)}") from error
    try:
        return read.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _CannotError(f"{file}:{_where_not_utf8(read, error.start)}") from error


def _mend_reading(error: OSError) -> str:
    return "check the path" if error.errno in {errno.ENOENT, errno.ENOTDIR} else mend_of(error)


def _where_not_utf8(read: bytes, start: int) -> str:
    """The line, the character and what the file may be instead."""
    if read.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "1: this is UTF-16, as spreadsheets save 'Unicode text'; save it as 'CSV UTF-8'"
    if b"\0" in read[:_BEGINNING]:
        return "1: this is no text but a binary file; save the table as 'CSV UTF-8'"
    before = read[:start].replace(b"\r\n", b"\n").replace(b"\r", b"\n").removeprefix(codecs.BOM_UTF8)
    line = before.count(b"\n") + 1
    column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
    told = f"character {column} (byte 0x{read[start]:02X}) is not UTF-8"
    return f"{line}: {told}, perhaps Windows-1252 or Latin-1; save it as 'CSV UTF-8'"


def _write(output: Path, text: str) -> Path | None:
    """Write a file. If another stood there, somebody may have worked on it: where it is kept is returned."""
    kept = output.with_name(f"{output.name}~")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        differs = output.is_file() and output.read_bytes() not in {b"", text.encode()}
        if differs:
            shutil.copyfile(output, kept)
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _CannotError(f"{output}: cannot be written ({error.strerror}); {mend_of(error)}") from error
    return kept if differs else None


def _tell(error: ProfileError, end: str) -> int:
    for problem in error.problems:
        print(problem, file=sys.stderr)
    count = len(error.problems)
    words = f"{count} mistake{'s' if count != 1 else ''}"
    print(f"{end}, {words}" if end else words, file=sys.stderr)
    return 1
