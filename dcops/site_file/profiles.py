"""The device profiles a site can name: the shipped ones and its own."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from collectors.errors import ProfileError
from collectors.profiles import Profile
from collectors.profiles.reader import read_profile
from dcops.site_file.documents import Node, Scalar, read_text
from dcops.site_file.entries import items_of, shown
from dcops.site_file.problems import Findings, Place
from facility.devices import DeviceKind

_NAME = re.compile(r"^profile:[ \t]*['\"]?([^\s'\"#]+)", re.MULTILINE)


@dataclass(slots=True)
class ProfileLibrary:
    """Profiles by name. One of the site's own replaces a shipped one of the same name."""

    profiles: dict[str, Profile]
    broken: set[str] = field(default_factory=set)
    """Names of profiles whose files have mistakes."""
    complete: bool = True
    """False if a file could not be read so far as to know its name."""

    def __contains__(self, name: str) -> bool:
        return name in self.profiles or name in self.broken

    def names(self) -> Iterator[str]:
        """Every name that may be used."""
        yield from self.profiles
        yield from self.broken

    def of_kind(self, kind: DeviceKind) -> list[str]:
        """Names of the profiles for a kind of device."""
        return [name for name, profile in self.profiles.items() if profile.kind is kind]


def read_library(
    node: Node | None, folder: Path, given: Mapping[str, Profile], findings: Findings
) -> tuple[ProfileLibrary, tuple[Path, ...]]:
    """The given profiles and those of the files and folders a site lists; also those files.

    Mistakes in profile files are noted among the site's.
    """
    library = ProfileLibrary(dict(given))
    own: dict[str, Path] = {}
    files = tuple(_files(node, folder, library, findings))
    for path in files:
        _add(path, library, own, findings)
    return library, files


def _files(node: Node | None, folder: Path, library: ProfileLibrary, findings: Findings) -> Iterable[Path]:
    for item in items_of(node, "profiles", findings):
        if not isinstance(item, Scalar):
            findings.add(item.place, f"profiles: {shown(item)} is no path; write a file or folder")
            continue
        path = folder / item.text
        if path.is_dir():
            found = sorted([*path.glob("*.yaml"), *path.glob("*.yml")])
            if not found:
                findings.add(
                    item.place, f"profiles: folder {shown(item)} holds no .yaml file; check the path"
                )
            yield from found
        elif path.is_file():
            yield path
        else:
            findings.add(
                item.place, f"profiles: {shown(item)} does not exist; write a path as seen from the site file"
            )
            library.complete = False


def _add(path: Path, library: ProfileLibrary, own: dict[str, Path], findings: Findings) -> None:
    text = read_text(path, findings)
    if text is None:
        library.complete = False
        return
    try:
        profile = read_profile(text, str(path))
    except ProfileError as error:
        for problem in error.problems:
            findings.add(Place(problem.file, problem.line), problem.message)
        _note_broken(text, library)
        return
    if profile.name in own:
        first = own[profile.name]
        findings.add(Place(str(path), 1), f"profile {profile.name!r} stands in {first} too; rename one")
        return
    own[profile.name] = path
    library.profiles[profile.name] = profile


def _note_broken(text: str, library: ProfileLibrary) -> None:
    match = _NAME.search(text)
    if match is None:
        library.complete = False
        return
    library.broken.add(match[1])
    library.profiles.pop(match[1], None)
