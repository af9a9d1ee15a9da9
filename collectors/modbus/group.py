"""One group of one device: its reads one after the other, and what is learned when one is refused."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from collectors.decode import Payload
from collectors.health import ReadCost
from collectors.lessons import Address, Lesson
from collectors.modbus import Answer, Fault
from collectors.modbus.frames import Request
from collectors.modbus.layout import GroupPlan, Requests, moved_request
from collectors.modbus.silence import Silences
from collectors.modbus.trial import NO_READS, Trial
from collectors.planning import Block, Group, split_block
from facility.quality import Quality, QualityArray

_QUALITY_OF_EXCEPTION = {
    1: Quality.CONFIG_ERROR,
    2: Quality.NOT_CONNECTED,
    3: Quality.NOT_CONNECTED,
    4: Quality.DEVICE_FAILURE,
    5: Quality.COMM_FAILURE,
    6: Quality.COMM_FAILURE,
    7: Quality.DEVICE_FAILURE,
    8: Quality.DEVICE_FAILURE,
}
_REFUSALS = frozenset({2, 3})
"""Exceptions that are about what was asked for, so that asking for less may help."""
_FAILURE = 4
"""The device failed; but some answer so to what they do not have."""
_STUBBORN = 3
"""After so many scans in a row with a failure, a block is taken to hold what the device does not have."""
_MOST_SPLITS = 16
"""Splits a scan may cost; what is left is split in the next one, so that neighbours do not wait."""
_BLIND_SPLITS = 4
"""As long as nothing was answered, for then the device may just not be ready."""


def quality_of(code: int) -> Quality:
    """What a value refused with an exception is told with."""
    return _QUALITY_OF_EXCEPTION.get(code, Quality.BAD)


class GroupReader:
    """Reads one group. A scan takes its requests in turn, each answered before the next is asked for.

    A block that is refused is read in halves, down to single values, all within the scan. From then on the
    blocks are carved around what the device does not have. What a device that refuses nothing needs is
    shared with all others of its profile.
    """

    __slots__ = (
        "_blocks",
        "_costs",
        "_layout",
        "_lesson",
        "_past_costs",
        "_payloads",
        "_plan",
        "_requests",
        "_shift",
        "_trial",
        "_unit",
        "decoder",
        "disturbed",
        "first",
        "plain",
        "trusted",
        "wait",
    )

    def __init__(self, plan: GroupPlan, unit: int, lesson: Lesson) -> None:
        self.wait = 0
        """Scans until it is read again."""
        self.trusted = False
        """Whether the device is known to answer something."""
        self.first = plan.group.first
        """Place in the profile of its first point."""
        self._plan = plan
        self._unit = unit
        self._lesson = lesson
        self._shift = 0
        self._payloads: tuple[Payload, ...] = ()
        self._costs: tuple[ReadCost, ...] = ()
        self._past_costs: tuple[ReadCost, ...] = ()
        self._trial: Trial | None = None
        self.lay_out()

    @property
    def group(self) -> Group:
        """What it reads, as planned."""
        return self._plan.group

    def lay_out(self, shift: int | None = None) -> None:
        """Plan the reads by what has been learned; ``shift`` is added to all addresses from now on."""
        if shift is not None:
            self._shift = shift
        trial = self._trial
        splits = () if trial is None else trial.splits
        cuts = self._lesson.cuts
        if splits:
            cuts |= {self._plan.address(place) for _, place in splits}
        self._layout = self._plan.layout(self._lesson.refused, cuts)
        self.decoder = self._layout.decoder
        """What takes a scan apart in which nothing was disturbed."""
        self._blocks = self._layout.blocks
        self._requests = self._layout.requests(self._unit, self._shift)
        self.plain = self._layout.whole and self.group.every == 1 and not splits
        """Whether each scan reads all of it, and nothing is known to be refused."""
        self._account()
        self.disturbed = False
        """Whether something was refused in this scan, or asked again."""
        if trial is not None:
            trial.begin_anew()

    @property
    def lacks(self) -> Quality | None:
        """Set if the device seems not to have something that was asked for in this scan."""
        return None if self._trial is None else self._trial.lacks

    def begin(self) -> Request | None:
        """Start a scan; returns its first read."""
        self._payloads = ()
        if self._trial is not None:
            self._trial.scan += 1
        if self.disturbed:
            self.drop_scan()
        return (self._requests[0] if self._requests else None) or self.next_request()

    @property
    def rounds_asked(self) -> float:
        """How often it has been seen whether what was learned still holds; infinity if nothing was."""
        refused, cuts = self._learned()
        if not refused and not cuts:
            return math.inf
        return 0.0 if self._trial is None else self._trial.turn / (len(refused) + len(cuts))

    def ask_again(self, most: int) -> int:
        """In this scan, see whether what was learned still holds: of so many refused values, or of one cut.

        Returns:
            How many are asked for; 0 if nothing was learned.
        """
        refused, cuts = self._learned()
        if not refused and not cuts:
            return 0
        trial = self._trying()
        self._payloads = ()  # a refused value that comes first was passed over
        turn = trial.turn % (len(refused) + len(cuts))
        if turn >= len(refused) and (most == 1 or not refused):
            trial.turn += 1
            self._lesson.cuts -= {cuts[turn - len(refused)]}
            self.lay_out()
            return 1
        asked = [*refused[turn:], *refused[:turn]][:most]
        trial.turn += len(asked)
        self.disturbed = True
        trial.again = frozenset(asked)
        self._requests = tuple(
            moved_request(self._unit, self._blocks[at], self._shift) if at in trial.again else request
            for at, request in enumerate(self._requests)
        )
        self._account()
        return len(asked)

    def next_request(self) -> Request | None:
        """The next read of the scan; None if it is complete."""
        requests = self._requests
        while (at := len(self._payloads)) < len(requests):
            request = requests[at]
            if request is not None:
                return request
            code = self._layout.codes[at]
            self._payloads += (quality_of(code) if code else Quality.COMM_FAILURE,)
        return None

    def take(self, data: bytes, seconds: float) -> Request | None:
        """The data of the read last asked for, and the time it took; returns the next read."""
        payloads = self._payloads
        cost = self._costs[len(payloads)]
        cost.count += 1
        cost.seconds += seconds
        self._payloads = payloads = (*payloads, data)
        return self.next_request() if len(payloads) < len(self._requests) else None

    def refuse(self, fault: Fault, seconds: float) -> str:
        """The read last asked for was answered with an exception: ask for less, or mark its points.

        Returns:
            What was refused, in words.
        """
        self.disturbed = True
        at = len(self._payloads)
        cost = self._costs[at]
        cost.count += 1
        cost.seconds += seconds
        self._payloads += (quality_of(fault.code),)
        trial = self._trying()
        if at not in trial.again and self._may_lack(trial, fault.code, at):
            trial.lacks = quality_of(fault.code)
            self._ask_for_less(trial, at, fault.code)
        return f"{fault} reading {cost.text}"

    def put_off(self, silences: Silences) -> tuple[tuple[int, Request], ...]:
        """Leave reads out of this scan; returns each and its number, by which it can be made up for."""
        silent = {at: request for at, request in enumerate(self.requests) if request in silences}
        if silent:
            self.disturbed = True
            self._requests = tuple(
                None if at in silent else request for at, request in enumerate(self._requests)
            )
        return tuple((at, request) for at, request in silent.items() if request is not None)

    def make_up(self, at: int, answer: Answer, seconds: float) -> None:
        """A read that was put off was done after all."""
        cost = self._costs[at]
        cost.count += 1
        cost.seconds += seconds
        if isinstance(answer, bytes):
            payload: Payload = answer
        else:
            payload = quality_of(answer.code) if answer.code else Quality.COMM_FAILURE
        self._payloads = (*self._payloads[:at], payload, *self._payloads[at + 1 :])

    @property
    def requests(self) -> Requests:
        """Its reads by what was learned, None for those that are refused."""
        return self._layout.requests(self._unit, self._shift)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """What each of them reads."""
        return self._layout.blocks

    @property
    def answered(self) -> bool:
        """Whether any read of this scan gave data."""
        return any(not isinstance(payload, Quality) for payload in self._payloads)

    def harvested(self) -> tuple[Payload, ...]:
        """What the reads of a scan gave in which nothing was disturbed; they are not kept."""
        self.wait = self.group.every
        payloads, self._payloads = self._payloads, ()
        return payloads

    def decode(self) -> tuple[NDArray[np.float64], QualityArray]:
        """Values and quality of the group's points; every read of the scan has been answered."""
        self.wait = self.group.every
        halves = NO_READS if self._trial is None else self._trial.halves
        if not halves:
            return self.decoder.decode(self._payloads)
        kept = [at for at in range(len(self._blocks)) if at not in halves]
        decoder = self._plan.decoder(tuple(self._blocks[at] for at in kept))
        return decoder.decode([self._payloads[at] for at in kept])

    def learn(self) -> bool:
        """Take what this scan showed into the lesson; False if it showed nothing new.

        What could not be split to the end goes on in the next scan from where it is.
        """
        trial = self._trying()
        changed = self._unlearn(trial)
        for block, code in trial.refused:
            refused = dict.fromkeys(map(self._plan.address, block.points), code)
            self._lesson.refused = {**self._lesson.refused, **refused}
            changed = True
        if trial.unfinished:
            return True
        changed |= self._learn_cuts(trial)
        trial.splits = ()
        return changed

    def drop_scan(self) -> None:
        """Take nothing of the last scan into the lesson: it broke off, or the device refused all."""
        if self._trial is not None:
            self._trial.splits = ()
        self.lay_out()

    def costs(self) -> Iterator[ReadCost]:
        """What its reads have taken, those as planned now first."""
        for cost in (*self._costs, *self._past_costs):
            if cost.count:
                yield replace(cost)

    @property
    def reads(self) -> bool:
        """Whether there is anything left to read."""
        return any(request is not None for request in self._requests)

    @property
    def single_values(self) -> tuple[Request, ...]:
        """A read of each value alone, whatever has been learned of it."""
        return tuple(moved_request(self._unit, block, self._shift) for block in self._plan.single_values())

    def _trying(self) -> Trial:
        if self._trial is None:
            self._trial = Trial()
        return self._trial

    def _ask_for_less(self, trial: Trial, at: int, code: int) -> None:
        """Read a refused block in two parts, unless it is one value."""
        block = self._blocks[at]
        parts = split_block(self._plan.profile, block)
        if len(parts) == 1:
            trial.refused += ((block, code),)
        elif len(trial.halves) >= (_MOST_SPLITS if self.trusted or self.answered else _BLIND_SPLITS):
            trial.unfinished = True
        else:
            trial.halves |= {at}
            trial.splits += ((block, parts[1].points[0]),)
            self._blocks += parts
            self._requests += tuple(moved_request(self._unit, part, self._shift) for part in parts)
            self._account()

    def _account(self) -> None:
        """Give each read the cost it has had so far, in the order of the reads."""
        known = {cost.text: cost for cost in (*self._costs, *self._past_costs)}
        texts = ["" if request is None else request.text for request in self._requests]
        self._costs = tuple(known[text] if text in known else ReadCost(text) for text in texts)
        self._past_costs = tuple(known[text] for text in known.keys() - set(texts) if known[text].count)

    def _may_lack(self, trial: Trial, code: int, at: int) -> bool:
        """Whether the device seems not to have something of a block."""
        if code != _FAILURE:
            return code in _REFUSALS
        if at >= len(self._layout.blocks):
            return True
        block = self._blocks[at]
        count, scan = trial.failures.get(block, (0, 0))
        count = count + 1 if scan == trial.scan - 1 else 1
        trial.failures[block] = count, trial.scan
        return count >= _STUBBORN

    def _unlearn(self, trial: Trial) -> bool:
        """Refused values that were asked for again and were answered are there again."""
        answered = [at for at in trial.again if not isinstance(self._payloads[at], Quality)]
        there = {self._plan.address(point) for at in answered for point in self._blocks[at].points}
        if there:
            self._lesson.refused = {at: code for at, code in self._lesson.refused.items() if at not in there}
        return bool(there)

    def _learned(self) -> tuple[list[int], list[Address]]:
        """Blocks of one value that are known to be refused, and the cuts."""
        refused = [at for at, code in enumerate(self._layout.codes) if code]
        return refused, [each for each in self._plan.addresses() if each in self._lesson.cuts]

    def _learn_cuts(self, trial: Trial) -> bool:
        """A split whose parts were answered whole was needed for itself: the device reads not across it."""
        refused = {block for block, _ in trial.refused}
        for at in range(len(self._layout.blocks), len(self._blocks)):
            known = at in trial.halves or self._blocks[at] in refused
            if not known and isinstance(self._payloads[at], Quality):
                return False
        found = False
        for block, place in reversed(trial.splits):
            addresses = [self._plan.address(each) for each in block.points]
            explained = any(address in self._lesson.refused for address in addresses)
            if not explained and not any(address in self._lesson.cuts for address in addresses[1:]):
                self._lesson.cuts |= {self._plan.address(place)}
                found = True
        return found
