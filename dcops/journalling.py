"""The way of readings into the journal, as platform and shard have it alike."""

from collections.abc import Callable, Sequence
from pathlib import Path

from collectors.keeping import Keeping
from dcops.site_file.outputs import JournalConfig
from facility.catalogue import Catalogue
from facility.clock import Clock
from ingest.ageing import Ageing
from ingest.journal import Journal
from ingest.spool import Spool
from ingest.tick import Tick

JOURNAL_FILE = "journal.sqlite"
"""In the data folder."""


def open_spool(
    config: JournalConfig,
    data: Path,
    catalogue: Catalogue,
    stores: Sequence[str],
    clock: Clock,
    *,
    ageing: Ageing,
) -> Spool:
    """The spool of a data folder. Its file is opened with the first use.

    Args:
        config: bounds and pace, of the site.
        data: the folder.
        catalogue: what batches count over.
        stores: names of those that take from it.
        clock: the one that readings are stamped by.
        ageing: for what is too old.
    """
    names = tuple(stores)
    journal = Journal(data / JOURNAL_FILE, catalogue, names, config.limits)
    return Spool(journal, names, clock, config.memory, config.commit, ageing=ageing)


def hurrying(tick: Tick, spool: Spool) -> Callable[[], None]:
    """Has what is open go to the journal now, for those who wait for it: brokers send no more before."""

    def hurry() -> None:
        tick.hurry()
        spool.hurry()

    return hurry


def keeping(tick: Tick, spool: Spool) -> Keeping:
    """How collectors learn what has become of readings."""
    return Keeping(
        number=lambda: tick.open_number,
        hurry=hurrying(tick, spool),
        note=spool.note,
        recall=spool.recall,
        listen=spool.on_settled,
        tell_no_more=spool.tell_no_more,
    )
