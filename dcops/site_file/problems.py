"""What is wrong with a site, and where: all findings of one run are gathered before anyone is told."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import NamedTuple

_FEW = 500
"""Up to so many candidates a near name is always looked for."""
_PLACES = 3
"""So many further places of a mistake are named, the others counted."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake: where it stands and how it is mended."""

    file: str
    """Path as the reader of the message can open it."""
    line: int
    """From 1; 0 if the mistake is the file itself."""
    message: str
    about: str = field(default="", compare=False)
    """What many items may share as their one mistake, such as a name that is nowhere; it is told once."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.message}"


class SiteProblems(Exception):  # noqa: N818 - it carries many problems, and says so
    """The site cannot be used.

    Args:
        problems: every mistake found, sorted by file and line; at least one.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(_told_once(sorted(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def _told_once(problems: Iterable[Problem]) -> Iterator[Problem]:
    """The problems, of those about the same thing only the first, with the places of the others."""
    groups: dict[object, list[Problem]] = {}
    for problem in problems:
        groups.setdefault(problem.about or problem, []).append(problem)
    for first, *others in groups.values():
        here = Place(first.file, first.line)
        places = dict.fromkeys(Place(each.file, each.line) for each in others)
        places.pop(here, None)
        if not places:
            yield first
            continue
        shown = ", ".join(place.near(here) for place in list(places)[:_PLACES])
        more = f" and {len(places) - _PLACES} more" if len(places) > _PLACES else ""
        yield replace(first, message=f"{first.message} (also {shown}{more})")


class Place(NamedTuple):
    """Where something stands."""

    file: str
    line: int

    def near(self, other: "Place") -> str:
        """Words for this place, for a message that is shown at ``other``."""
        return f"line {self.line}" if self.file == other.file else f"{self.file}:{self.line}"


@dataclass(slots=True)
class Findings:
    """Problems and warnings as they are found; one a run."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def add(self, place: Place, message: str, about: str = "") -> None:
        """Note a mistake; those ``about`` the same thing are told as one, where the first stands."""
        self.problems.append(Problem(place.file, place.line, message, about))

    def warn(self, place: Place, message: str) -> None:
        """Note what deserves a look but stops nothing."""
        self.warnings.append(Problem(place.file, place.line, message))


@dataclass(slots=True)
class NearNames:
    """Suggests what an unknown word was meant to be.

    Comparing a word with thousands is slow, so among many candidates only the first ``budget`` different
    words get a suggestion.
    """

    budget: int = 50
    known: dict[str, str] = field(default_factory=dict)

    def hint(self, word: str, candidates: Iterable[str]) -> str:
        """``did you mean 'gw-1'?`` or an empty string."""
        if word not in self.known:
            self.known[word] = self._search(word, list(candidates))
        return self.known[word]

    def _search(self, word: str, candidates: list[str]) -> str:
        if len(candidates) > _FEW:
            if self.budget <= 0:
                return ""
            self.budget -= 1
        return near(word, candidates)


def near(word: str, candidates: Iterable[str]) -> str:
    """``did you mean 'rack_pdu'?`` for the most similar candidate, or an empty string."""
    found = most_similar(word, candidates)
    return f"did you mean {found!r}?" if found else ""


def most_similar(word: str, candidates: Iterable[str]) -> str:
    """The candidate that is most similar, or an empty string.

    Who writes ``pdu`` means the only kind of PDU there is, not a CDU.
    """
    known = list(candidates)
    part_of = [each for each in known if word in each.replace("-", "_").split("_")]
    found = part_of if len(part_of) == 1 else get_close_matches(word, known, n=1)
    return found[0] if found else ""
