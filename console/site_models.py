"""The bodies about the site that runs and about loading it anew."""

from dataclasses import dataclass
from typing import Annotated

from console.models import Moment, Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadRequest:
    """The site's files are to be read again."""

    removing: Annotated[
        int,
        "this many devices may be removed; by default at most ten, or a tenth of a larger site, as a file"
        " may be truncated",
    ] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteMistake:
    """A mistake in the site's files."""

    file: str
    line: Annotated[int, "from 1; 0 if the mistake is the file itself"]
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded:
    """The site was loaded anew. Everything that is not named here went on as it was."""

    time: Moment
    devices: Annotated[int, "how many there are now"]
    points: Annotated[int, "how many they have together"]
    added: Annotated[tuple[str, ...], "ids of devices"]
    removed: Annotated[tuple[str, ...], "ids of devices"]
    changed: Annotated[tuple[str, ...], "ids of devices that are read in another way, or elsewhere"]
    rules: Annotated[bool, "whether alarm rules are others now"]
    needs_restart: Annotated[
        tuple[str, ...], "sections of the site that have changed and take effect at a restart only"
    ]
    warnings: Annotated[tuple[str, ...], "what deserves a look but stops nothing"]
    seconds: Annotated[float, "from the request to the end"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadRefused:
    """The site's files have mistakes; the site that runs goes on untouched."""

    error: Refusal
    mistakes: tuple[SiteMistake, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteAnswer:
    """The site that runs, and how it went when it was last to be loaded anew."""

    time: Moment
    site: Annotated[str, "its name"]
    path: Annotated[str, "of its file, on the machine of dcops"]
    devices: int
    points: int
    loaded: Annotated[Moment, "when what runs was loaded"]
    reloads: Annotated[int, "how often it was loaded anew"]
    refused: Annotated[int, "how often it was not, since its files had mistakes or it could not be done"]
    tried: Annotated[Moment, "when it was last tried; null if never"]
    up_to_date: Annotated[
        bool, "false if the last try was refused, so that the files say other than what runs"
    ]
    error: Annotated[str, "why it was refused; empty if it was not"]
    mistakes: tuple[SiteMistake, ...]
    needs_restart: Annotated[
        tuple[str, ...], "sections that have changed since the start and take effect at a restart only"
    ]
