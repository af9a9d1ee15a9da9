"""The device profiles a site can name: the shipped ones and its own."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import chain
from pathlib import Path

from collectors.errors import ProfileError
from collectors.profiles import Profile
from collectors.profiles.reader import name_of, read_profile, shipped_texts, texts_by_name
from collectors.profiles.variants import Bases, ProfileText
from dcops.site_file.documents import Node, Scalar, read_text
from dcops.site_file.entries import items_of, shown
from dcops.site_file.problems import Findings, Place
from facility.devices import DeviceKind


class Overlay(Mapping[str, Profile]):
    """Profiles of several sources, the first that has a name. None is read before it is asked for."""

    def __init__(self, *sources: Mapping[str, Profile], hidden: AbstractSet[str] = frozenset()) -> None:
        """Names that are ``hidden``, now or later, are in none of them."""
        self._sources = sources
        self._hidden = hidden

    def __getitem__(self, name: str) -> Profile:
        """The profile of that name."""
        for source in self._sources:
            if name in source and name not in self._hidden:
                return source[name]
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return name not in self._hidden and any(name in source for source in self._sources)

    def __iter__(self) -> Iterator[str]:
        names = dict.fromkeys(chain.from_iterable(self._sources))
        return (name for name in names if name not in self._hidden)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class ProfileLibrary:
    """Profiles by name. One of the site's own replaces a shipped one of the same name."""

    def __init__(self, given: Mapping[str, Profile]) -> None:
        self.own: dict[str, Profile] = {}
        """Those of the site's files."""
        self.texts: tuple[ProfileText, ...] = ()
        """What those files hold."""
        self.broken: set[str] = set()
        """Names of profiles whose files have mistakes."""
        self.complete = True
        """False if a file could not be read so far as to know its name."""
        self.profiles: Mapping[str, Profile] = Overlay(self.own, given, hidden=self.broken)

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
    node: Node | None,
    folder: Path,
    given: Mapping[str, Profile],
    findings: Findings,
    before: ProfileLibrary | None = None,
) -> tuple[ProfileLibrary, tuple[Path, ...]]:
    """The given profiles and those of the files and folders a site lists; also those files.

    They may extend each other and the shipped ones, whatever the order of the files. Mistakes in profile
    files are noted among the site's.

    Args:
        node: what the site lists.
        folder: from where paths count.
        given: profiles that are there besides.
        findings: takes the problems.
        before: the library of the same site as it was read, without a mistake, before. If all files hold
            what they held it is that one; else profiles that are equal are the very same.
    """
    library = ProfileLibrary(given)
    files = tuple(_files(node, folder, library, findings))
    texts = list(_texts(files, library, findings))
    library.texts = tuple(texts)
    if before is not None and library.complete and library.texts == before.texts:
        return before, files
    bases = Bases(own=texts_by_name(texts), shipped=shipped_texts() if texts else {})
    own: dict[str, str] = {}
    for each in texts:
        _add(each, bases, library, own, findings)
    for name, profile in library.own.items():
        known = before.own.get(name) if before is not None else None
        if known is not None and known == profile:
            library.own[name] = known
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
    library.own[profile.name] = profile


def _note_broken(text: str, library: ProfileLibrary) -> None:
    name = name_of(text)
    if name is None:
        library.complete = False
        return
    library.broken.add(name)
    library.own.pop(name, None)
