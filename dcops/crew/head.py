"""The head of a site: takes what its shards collected, and knows how they do."""

import asyncio
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import NoReturn

import orjson

from console.context import Receiver
from console.errors import BadRequestError, ConflictError, UnavailableError
from dcops.crew.members import Member
from dcops.crew.report import ReportUnreadableError, read_report
from facility.clock import Clock
from facility.sample import NANOSECONDS
from ingest.batch import Batch
from ingest.errors import BatchCorruptError, NotKeptError, ParcelVersionError
from ingest.parcels import unpack
from ingest.reception import Reception
from ingest.translation import KnownCatalogues

KEEP_SECONDS = 8.0
"""So long a sender waits for the journal before it is told to send again."""
MOST_AHEAD = 30.0
"""Seconds the clock of a sender may be ahead; readings a minute ahead would be refused one by one."""


class Head:
    """Takes readings and reports of the shards of one site."""

    def __init__(
        self,
        *,
        clock: Clock,
        known: KnownCatalogues,
        count: int,
        own: int,
        accept: Callable[[Batch], None],
        number: Callable[[], int],
        hurry: Callable[[], None],
    ) -> None:
        """Nothing is taken yet.

        Args:
            clock: the platform's.
            known: the catalogues that point indices may count over.
            count: how many shards there are.
            own: which of them this process is; 0 for none.
            accept: shows readings and keeps them for the journal.
            number: of the batch that holds what was accepted last.
            hurry: asks that what was accepted is journalled soon.
        """
        self.members = {
            index: Member(f"shard {index}/{count}", clock) for index in range(1, count + 1) if index != own
        }
        """By the number of the share."""
        self._clock = clock
        self._known = known
        self._count = count
        self._hurry = hurry
        self._reception = Reception(accept, number)

    def settled(self, through: int, lost: AbstractSet[int]) -> None:
        """Be told that all batches up to a number are in the journal, but for those that are lost."""
        self._reception.settled(through, lost)

    def receiver(self, token: str) -> Receiver:
        """What the console is given to hand requests on to."""
        return Receiver(token=token, readings=self.take_readings, report=self.take_report)

    async def take_readings(self, body: bytes) -> None:
        """Take a parcel; returns when it is journalled.

        Raises:
            BadRequestError: it is damaged.
            ConflictError: it is not of this site, version or share.
            UnavailableError: it is not journalled yet, and is to be sent again.
        """
        try:
            parcel = await asyncio.to_thread(unpack, body)
        except ParcelVersionError as error:
            raise ConflictError("other_version", str(error), "run one version of dcops on both") from error
        except BatchCorruptError as error:
            raise BadRequestError("damaged", str(error), "send it again") from error
        sender = parcel.sender
        member = self._member(sender.index, sender.count)
        self._check(member, sender.catalogue, parcel.sent)
        entries = [
            (position, self._known.translate(sender.catalogue, batch)) for position, batch in parcel.entries
        ]
        before = self._reception.readings
        waits = self._reception.take(replace(parcel, entries=entries))
        member.readings += self._reception.readings - before
        self._hurry()
        try:
            await self._reception.kept(waits, KEEP_SECONDS)
        except NotKeptError as error:
            raise UnavailableError("not_kept", str(error), "send it again") from error

    async def take_report(self, body: bytes) -> bytes:
        """Take what a shard tells of itself; returns orders for it, as JSON.

        Raises:
            BadRequestError: it cannot be read.
            ConflictError: it is not of this site or share.
        """
        try:
            report = await asyncio.to_thread(read_report, body)
        except ReportUnreadableError as error:
            raise BadRequestError("damaged", str(error), "run one version of dcops on both") from error
        condition = report.condition
        member = self._member(condition.index, condition.count)
        self._check(member, condition.catalogue, condition.sent)
        member.take(report)
        orders, member.orders = member.orders, []
        return orjson.dumps({"forget": orders})

    def _member(self, index: int, count: int) -> Member:
        if count != self._count:
            raise ConflictError(
                "other_shards",
                f"this head has {self._count} shards, the sender counts {count}",
                "start all of them with the same number of shards",
            )
        member = self.members.get(index)
        if member is None:
            raise ConflictError(
                "own_share", f"the head collects share {index}/{count} itself", "give each its own --shard"
            )
        return member

    def _check(self, member: Member, catalogue: str, sent: int) -> None:
        """Raises ConflictError, and notes it, if what a member sends cannot be taken."""
        ahead = (sent - self._clock.now()) / NANOSECONDS
        if not self._known.knows(catalogue):
            self._refuse(
                member,
                sent,
                ConflictError(
                    "other_site",
                    f"{member.name} runs another site, or another state of this one",
                    "give both the same site, and have the head load it first",
                ),
            )
        if ahead > MOST_AHEAD:
            self._refuse(
                member,
                sent,
                ConflictError(
                    "clock_ahead",
                    f"the clock of {member.name} is {ahead:.0f} s ahead of the head's",
                    "set both by NTP",
                ),
            )
        member.error = ""
        member.hear(sent)

    def _refuse(self, member: Member, sent: int, error: ConflictError) -> NoReturn:
        member.hear(sent)
        member.error = f"{error}; {error.mend}"
        raise error
