"""One group of one device: its reads one after the other, and what is learned when one is refused."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from collectors.decode import Decoder, Payload
from collectors.health import ReadCost
from collectors.lessons import Lesson
from collectors.modbus import Fault
from collectors.modbus.frames import Request
from collectors.modbus.layout import GroupPlan, moved_request
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
FAILURE = 4
"""The device failed; but some answer so to what they do not have."""
_STUBBORN = 3
"""After so many scans in a row with a failure, a block is taken to hold what the device does not have."""
_MOST_SPLITS = 16
"""Splits a scan may cost; what is left is split in the next one, so that neighbours do not wait."""
_BLIND_SPLITS = 4
"""As long as nothing was answered, for then the device may just not be ready."""


_NO_HALVES: frozenset[int] = frozenset()


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
        "_again",
        "_blocks",
        "_costs",
        "_failures",
        "_halves",
        "_layout",
        "_lesson",
        "_past_costs",
        "_payloads",
        "_plan",
        "_refused",
        "_requests",
        "_scan",
        "_shift",
        "_splits",
        "_turn",
        "_unit",
        "disturbed",
        "lacks",
        "plain",
        "trusted",
        "unfinished",
        "wait",
    )

    def __init__(self, plan: GroupPlan, unit: int, lesson: Lesson) -> None:
        self.wait = 0
        """Scans until it is read again."""
        self.trusted = False
        """Whether the device is known to answer something."""
        self._plan = plan
        self._unit = unit
        self._lesson = lesson
        self._shift = 0
        self._scan = 0
        self._turn = 0
        self._payloads: tuple[Payload, ...] = ()
        self._costs: tuple[ReadCost, ...] = ()
        self._past_costs: tuple[ReadCost, ...] = ()
        self._failures: dict[Block, tuple[int, int]] | None = None
        self._splits: tuple[tuple[Block, int], ...] = ()
        """Blocks split while learning, and the first place of the second part."""
        self.lay_out()

    @property
    def group(self) -> Group:
        """What it reads, as planned."""
        return self._plan.group

    @property
    def first(self) -> int:
        """Place in the profile of its first point."""
        return self._plan.group.first

    def lay_out(self, shift: int | None = None) -> None:
        """Plan the reads by what has been learned; ``shift`` is added to all addresses from now on."""
        if shift is not None:
            self._shift = shift
        cuts = self._lesson.cuts
        if self._splits:
            cuts |= {self._plan.address(place) for _, place in self._splits}
        self._layout = self._plan.layout(self._lesson.refused, cuts)
        self._blocks = self._layout.blocks
        self._requests = self._layout.requests(self._unit, self._shift)
        self.plain = self._layout.whole and self.group.every == 1 and not self._splits
        """Whether each scan reads all of it, and nothing is known to be refused."""
        self._account()
        self._again = -1
        self._refused: tuple[tuple[Block, int], ...] = ()
        self._halves = _NO_HALVES
        self.unfinished = False
        """Whether splitting goes on in the next scan."""
        self.disturbed = False
        """Whether something was refused in this scan, or asked again."""
        self.lacks: Quality | None = None
        """Set if the device seems not to have something that was asked for in this scan."""

    def begin(self) -> None:
        """Start a scan from the first read."""
        self._payloads = ()
        self._scan += 1
        if self.disturbed:
            self.drop_scan()

    def ask_again(self) -> bool:
        """In this scan, see whether one refused value or one cut is still needed; False if there is none."""
        refused = [at for at, request in enumerate(self._requests) if request is None]
        cuts = [each for each in self._plan.addresses() if each in self._lesson.cuts]
        if not refused and not cuts:
            return False
        turn = self._turn % (len(refused) + len(cuts))
        self._turn += 1
        if turn < len(refused):
            self.disturbed = True
            self._again = at = refused[turn]
            request = moved_request(self._unit, self._blocks[at], self._shift)
            self._requests = (*self._requests[:at], request, *self._requests[at + 1 :])
            self._account()
        else:
            self._lesson.cuts -= {cuts[turn - len(refused)]}
            self.lay_out()
        return True

    def next_request(self) -> Request | None:
        """The next read of the scan; None if it is complete."""
        requests = self._requests
        while (at := len(self._payloads)) < len(requests):
            request = requests[at]
            if request is not None:
                return request
            self._payloads += (quality_of(self._layout.codes[at]),)
        return None

    def take(self, data: bytes, seconds: float) -> None:
        """The data of the read last asked for, and the time it took."""
        cost = self._costs[len(self._payloads)]
        cost.count += 1
        cost.seconds += seconds
        self._payloads += (data,)

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
        if at != self._again and self._may_lack(fault.code, at):
            self.lacks = quality_of(fault.code)
            self._ask_for_less(at, fault.code)
        return f"{fault} reading {cost.text}"

    @property
    def answered(self) -> bool:
        """Whether any read of this scan gave data."""
        return any(not isinstance(payload, Quality) for payload in self._payloads)

    @property
    def decoder(self) -> Decoder:
        """What takes a scan apart in which nothing was disturbed."""
        return self._layout.decoder

    def harvested(self) -> tuple[Payload, ...]:
        """What the reads of a scan gave in which nothing was disturbed; they are not kept."""
        self.wait = self.group.every
        payloads, self._payloads = self._payloads, ()
        return payloads

    def decode(self) -> tuple[NDArray[np.float64], QualityArray]:
        """Values and quality of the group's points; every read of the scan has been answered."""
        self.wait = self.group.every
        kept = [at for at in range(len(self._blocks)) if at not in self._halves]
        decoder = self._plan.decoder(tuple(self._blocks[at] for at in kept)) if self._halves else self.decoder
        return decoder.decode([self._payloads[at] for at in kept])

    def learn(self) -> bool:
        """Take what this scan showed into the lesson; False if it showed nothing new.

        What could not be split to the end goes on in the next scan from where it is.
        """
        changed = self._unlearn()
        for block, code in self._refused:
            self._lesson.refused |= dict.fromkeys(map(self._plan.address, block.points), code)
            changed = True
        if self.unfinished:
            return True
        changed |= self._learn_cuts()
        self._splits = ()
        return changed

    def drop_scan(self) -> None:
        """Take nothing of the last scan into the lesson: it broke off, or the device refused all."""
        self._splits = ()
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

    def _ask_for_less(self, at: int, code: int) -> None:
        """Read a refused block in two parts, unless it is one value."""
        block = self._blocks[at]
        parts = split_block(self._plan.profile, block)
        if len(parts) == 1:
            self._refused += ((block, code),)
        elif len(self._halves) >= (_MOST_SPLITS if self.trusted or self.answered else _BLIND_SPLITS):
            self.unfinished = True
        else:
            self._halves |= {at}
            self._splits += ((block, parts[1].points[0]),)
            self._blocks += parts
            self._requests += tuple(moved_request(self._unit, part, self._shift) for part in parts)
            self._account()

    def _account(self) -> None:
        """Give each read the cost it has had so far, in the order of the reads."""
        known = {cost.text: cost for cost in (*self._costs, *self._past_costs)}
        texts = ["" if request is None else request.text for request in self._requests]
        self._costs = tuple(known[text] if text in known else ReadCost(text) for text in texts)
        self._past_costs = tuple(known[text] for text in known.keys() - set(texts) if known[text].count)

    def _may_lack(self, code: int, at: int) -> bool:
        """Whether the device seems not to have something of a block."""
        if code != FAILURE:
            return code in _REFUSALS
        if at >= len(self._layout.blocks):
            return True
        if self._failures is None:
            self._failures = {}
        block = self._blocks[at]
        count, scan = self._failures.get(block, (0, 0))
        count = count + 1 if scan == self._scan - 1 else 1
        self._failures[block] = count, self._scan
        return count >= _STUBBORN

    def _unlearn(self) -> bool:
        """A refused value that was asked again and was answered is there again."""
        if self._again < 0 or isinstance(self._payloads[self._again], Quality):
            return False
        for place in self._blocks[self._again].points:
            self._lesson.refused.pop(self._plan.address(place), None)
        return True

    def _learn_cuts(self) -> bool:
        """A split whose parts were answered whole was needed for itself: the device reads not across it."""
        refused = {block for block, _ in self._refused}
        for at in range(len(self._layout.blocks), len(self._blocks)):
            known = at in self._halves or self._blocks[at] in refused
            if not known and isinstance(self._payloads[at], Quality):
                return False
        found = False
        for block, place in reversed(self._splits):
            addresses = [self._plan.address(each) for each in block.points]
            explained = any(address in self._lesson.refused for address in addresses)
            if not explained and not any(address in self._lesson.cuts for address in addresses[1:]):
                self._lesson.cuts |= {self._plan.address(place)}
                found = True
        return found
