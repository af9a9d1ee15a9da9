"""How it went when the site was to be loaded anew, and what of it waits for a restart."""

from dataclasses import dataclass

from dcops.site_file import LoadedSite, Problem


@dataclass(slots=True)
class ReloadState:
    """Times are ns since the epoch."""

    loaded: int
    """When the site that runs was loaded."""
    reloads: int = 0
    refused: int = 0
    tried: int | None = None
    error: str = ""
    """Why the last try was refused; empty if it was not."""
    problems: tuple[Problem, ...] = ()
    """The mistakes it was refused for."""
    needs_restart: tuple[str, ...] = ()
    seconds: float = 0.0
    """How long the last one took."""

    @property
    def up_to_date(self) -> bool:
        """False if the files say other than what runs, as they were refused."""
        return not self.error


def waits_for_restart(started: LoadedSite, now: LoadedSite) -> tuple[str, ...]:
    """Sections of a site that are others than at the start, and are taken up at a start only."""
    sections = {
        "stores": started.stores != now.stores,
        "history": started.retention != now.retention,
        "journal": started.journal != now.journal,
        "notify": started.notifiers != now.notifiers,
        "name": bool(started.notifiers) and started.site.name != now.site.name,
    }
    return tuple(name for name, changed in sections.items() if changed)
