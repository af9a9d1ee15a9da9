"""Loading the site anew while it runs: read and checked apart, taken up in one turn of the event loop.

Reading a campus and planning it takes seconds of computing: the loop goes on polling meanwhile, and a site
with mistakes changes nothing.
"""

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from collectors.apart import apart
from collectors.changes import PlanChange
from console.site import SiteRefusedError
from console.site_models import Reloaded, SiteAnswer, SiteMistake
from console.times import write_time
from dcops.background import collector_rests
from dcops.reload_state import ReloadState, waits_for_restart
from dcops.removals import ManyRemovedError, refuse_many_removed
from dcops.settled_files import FilesChangingError, read_settled
from dcops.site_file import LoadedSite, Problem, SiteProblems
from facility.clock import Clock

_log = logging.getLogger(__name__)

MOST_WAITING = 8
"""Reloads that may wait for the one that runs."""
_MOST_TOLD = 5
"""Ids that are told of in the log."""


class Loaded(Protocol):
    """What is made of a loaded site."""

    @property
    def loaded(self) -> LoadedSite:
        """The site."""
        ...


class Ready(Protocol):
    """A site that is ready to take the place of the one that runs."""

    @property
    def live(self) -> Loaded:
        """What is made of it."""
        ...

    @property
    def change(self) -> PlanChange:
        """What is collected otherwise."""
        ...


ReadyT = TypeVar("ReadyT", bound=Ready)


class Running(Protocol[ReadyT]):
    """A process that runs a site, as whoever loads its site anew sees it."""

    @property
    def live(self) -> Loaded:
        """The site that runs."""
        ...

    def build(self, loaded: LoadedSite) -> ReadyT:
        """Make everything that a site needs to take its place; in any thread."""
        ...

    async def go_over(self, successor: ReadyT) -> None:
        """Put it in its place."""
        ...


class Reloader(Generic[ReadyT]):
    """Loads the site anew, one time after the other, and tells how it went."""

    def __init__(
        self,
        running: Running[ReadyT],
        load: Callable[[], LoadedSite] | None,
        started: LoadedSite,
        clock: Clock,
    ) -> None:
        """Args.

        Args:
            running: the platform.
            load: reads the site; None if it is not to be loaded anew.
            started: the site as it was at the start.
            clock: for telling when.
        """
        self.state = ReloadState(loaded=clock.now())
        self._running = running
        self._load = load
        self._started = started
        self._clock = clock
        self._asked = asyncio.Event()
        self._turn = asyncio.Lock()
        self._waiting = 0

    def request(self) -> None:
        """Have it loaded anew soon; what comes of it is logged. Asked again meanwhile, it is once more."""
        self._asked.set()

    async def run(self) -> None:
        """Do what is requested until cancelled."""
        try:
            while True:
                await self._asked.wait()
                self._asked.clear()
                with contextlib.suppress(SiteRefusedError):
                    await self.reload()
        finally:
            gc.unfreeze()  # at the exit everything is looked through once more

    async def reload(self, removing: int = 0) -> Reloaded:
        """Load the site anew now. So many devices may be removed in any case.

        Raises:
            SiteRefusedError: it has mistakes, would lose too many devices or cannot be loaded anew; the site
                that runs goes on untouched.
        """
        if self._waiting >= MOST_WAITING:
            raise SiteRefusedError("busy", f"{self._waiting} reloads wait already", "ask again later")
        self._waiting += 1
        try:
            async with self._turn:
                return await self._reload(removing)
        finally:
            self._waiting -= 1

    def status(self) -> SiteAnswer:
        """The site that runs, and how it went when it was last to be loaded anew."""
        state, loaded = self.state, self._running.live.loaded
        return SiteAnswer(
            time=write_time(self._clock.now()),
            site=loaded.site.name,
            path=str(loaded.path),
            devices=len(loaded.site.devices),
            points=loaded.site.point_count,
            loaded=write_time(state.loaded),
            reloads=state.reloads,
            refused=state.refused,
            tried=write_time(state.tried),
            up_to_date=state.up_to_date,
            error=state.error,
            mistakes=_mistakes(state.problems),
            needs_restart=state.needs_restart,
        )

    def detail(self) -> str:
        """The same in a few words."""
        state = self.state
        if not state.up_to_date:
            return f"runs as loaded {write_time(state.loaded)}; its files are refused: {state.error}"
        waits = f"; a restart is needed for: {', '.join(state.needs_restart)}" if state.needs_restart else ""
        return f"as loaded {write_time(state.loaded)}{waits}"

    async def _reload(self, removing: int) -> Reloaded:
        load = self._load
        if load is None:
            raise SiteRefusedError(
                "not_reloadable",
                "this run keeps the site it was started with: it records, or made the site itself",
                "restart it",
            )
        began, self.state.tried = time.monotonic(), self._clock.now()
        before = self._running.live.loaded
        try:
            with collector_rests():
                successor = await apart("reload", lambda: self._read(load, before, removing))
                await self._running.go_over(successor)
        except SiteProblems as problems:
            raise self._refuse(problems.problems) from problems
        except ManyRemovedError as error:
            raise self._refuse_removal(error) from error
        except FilesChangingError as error:
            self._note_refusal(str(error), ())
            _log.error("%s; the site is not loaded anew, what runs goes on", error)
            raise SiteRefusedError("being_written", str(error), "ask again once it is written") from error
        except Exception as error:
            _log.exception("the site could not be loaded anew; what runs goes on")
            self._note_refusal(f"it could not be applied: {error!r}", ())
            raise SiteRefusedError(
                "not_taken_up", "the site could not be applied", "see the log of dcops"
            ) from error
        return self._done(before, successor, time.monotonic() - began)

    def _read(self, load: Callable[[], LoadedSite], before: LoadedSite, removing: int) -> ReadyT:
        """In a thread of its own: what takes the place of the site that runs."""
        loaded, successor = read_settled(load, before.files, self._running.build)
        refuse_many_removed(before, loaded, removing)
        return successor

    def _done(self, before: LoadedSite, successor: ReadyT, seconds: float) -> Reloaded:
        change, loaded, state = successor.change, successor.live.loaded, self.state
        state.loaded, state.error, state.problems = self._clock.now(), "", ()
        state.reloads += 1
        state.seconds = seconds
        state.needs_restart = waits_for_restart(self._started, loaded)
        done = Reloaded(
            time=write_time(state.loaded),
            devices=len(loaded.site.devices),
            points=loaded.site.point_count,
            added=tuple(sorted(change.added)),
            removed=tuple(sorted(change.removed)),
            changed=tuple(sorted(change.restarted)),
            rules=before.rules != loaded.rules,
            needs_restart=state.needs_restart,
            warnings=tuple(map(str, loaded.warnings)),
            seconds=seconds,
        )
        _log.info(
            "the site is loaded anew in %.2f s: %s", seconds, _told(done.added, done.removed, done.changed)
        )
        if done.needs_restart:
            _log.warning(
                "changes of %s in the site take effect at a restart only", ", ".join(done.needs_restart)
            )
        return done

    def _refuse(self, problems: tuple[Problem, ...]) -> SiteRefusedError:
        count = f"{len(problems)} mistake{'s' if len(problems) != 1 else ''}"
        self._note_refusal(count, problems)
        for problem in problems:
            _log.error("%s", problem)
        _log.error("the site has %s and is not loaded anew; what runs goes on", count)
        return SiteRefusedError(
            "bad_site",
            f"the site has {count}; what runs goes on",
            "mend the files; 'dcops check' says the same",
            _mistakes(problems),
        )

    def _refuse_removal(self, error: ManyRemovedError) -> SiteRefusedError:
        self._note_refusal(str(error), ())
        mend = f"see whether the files are whole; if it is meant, 'dcops reload --removing {error.gone}'"
        _log.error("%s; the site is not loaded anew, what runs goes on; %s", error, mend)
        return SiteRefusedError("removes_many", f"{error}; what runs goes on", mend)

    def _note_refusal(self, error: str, problems: tuple[Problem, ...]) -> None:
        self.state.refused += 1
        self.state.error, self.state.problems = error, problems


def _mistakes(problems: tuple[Problem, ...]) -> tuple[SiteMistake, ...]:
    return tuple(SiteMistake(file=each.file, line=each.line, message=each.message) for each in problems)


def _told(added: tuple[str, ...], removed: tuple[str, ...], changed: tuple[str, ...]) -> str:
    parts = []
    for what, ids in (("added", added), ("removed", removed), ("changed", changed)):
        if ids:
            more = " …" if len(ids) > _MOST_TOLD else ""
            count = f"{len(ids)} device{'s' if len(ids) != 1 else ''}"
            parts.append(f"{count} {what} ({', '.join(ids[:_MOST_TOLD])}{more})")
    return ", ".join(parts) or "no device is read otherwise"
