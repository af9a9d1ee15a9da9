"""The device profiles a site can name: the shipped ones and its own."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from collectors.errors import ProfileError
from collectors.profiles import Profile
from collectors.profiles.reader import name_of, read_profile, shipped_texts, texts_by_name
from collectors.profiles.variants import Bases, ProfileText
from dcops.site_file.documents import Node, Scalar, read_text
from dcops.site_file.entries import items_of, shown
from dcops.site_file.problems import Findings, Place
from facility.devices import DeviceKind


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

    They may extend each other and the shipped ones, whatever the order of the files. Mistakes in profile
    files are noted among the site's.
    """
    library = ProfileLibrary(dict(given))
    files = tuple(_files(node, folder, library, findings))
    texts = list(_texts(files, library, findings))
    bases = Bases(own=texts_by_name(texts), shipped=shipped_texts() if texts else {})
    own: dict[str, str] = {}
    for each in texts:
        _add(each, bases, library, own, findings)
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


def _texts(files: Iterable[Path], library: ProfileLibrary, findings: Findings) -> Iterator[ProfileText]:
    for path in files:
        text = read_text(path, findings)
        if text is None:
            library.complete = False
        else:
            yield ProfileText(str(path), text)


def _add(
    document: ProfileText, bases: Bases, library: ProfileLibrary, own: dict[str, str], findings: Findings
) -> None:
    try:
        profile = read_profile(document.text, document.file, bases)
    except ProfileError as error:
        for problem in error.problems:
            findings.add(Place(problem.file, problem.line), problem.message)
        _note_broken(document.text, library)
        return
    if profile.name in own:
        first = own[profile.name]
        findings.add(Place(document.file, 1), f"profile {profile.name!r} stands in {first} too; rename one")
        return
    own[profile.name] = document.file
    library.profiles[profile.name] = profile


def _note_broken(text: str, library: ProfileLibrary) -> None:
    name = name_of(text)
    if name is None:
        library.complete = False
        return
    library.broken.add(name)
    library.profiles.pop(name, None)
