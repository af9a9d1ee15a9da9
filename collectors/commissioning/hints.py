"""What all doubtful values of a device have in common: one wrong order, one wrong address, one wrong type."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from collectors.commissioning.orders import single_changes, value_of
from collectors.commissioning.plausibility import Verdict, fits
from collectors.profiles import DataType, Order, Register
from facility.devices import DeviceKind, PointSpec

_LEAST_POINTS = 2
_LEAST_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Shown:
    """One value of a device, as it was read and judged."""

    point: PointSpec
    register: Register
    words: Mapping[int, int]
    """Registers that are known around it, by address."""
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Change:
    """What to do to the profile, for every value that it concerns."""

    key: str
    """``order``, ``shift`` or ``data``."""
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Hint:
    """A change that explains most doubtful values at once."""

    change: Change
    mended: int
    doubtful: int
    spoiled: int
    """Values that are plausible as they are and would not be."""

    @property
    def gain(self) -> int:
        """Values mended without one spoiled for them."""
        return self.mended - self.spoiled

    def __str__(self) -> str:
        of = f"{self.mended} of {self.doubtful} doubtful values become plausible"
        if self.spoiled:
            of += f" ({self.spoiled} good ones would not be)"
        new = self.change.new
        match self.change.key:
            case "order":
                return f"{of} with order {new}: write 'order: {new}' in the profile"
            case "shift":
                step = f"{new[0]} {new[1:]}".replace("-", "−")
                return f"{of} at address {step}: write 'shift: {int(new)}' in a profile that extends it"
            case _:
                return f"{of} as {new}: write 'data: {new}' instead of {self.change.old}"


def hints(kind: DeviceKind, shown: Sequence[Shown]) -> tuple[Hint, ...]:
    """The change that makes most doubtful values plausible, or those that do so alike."""
    doubtful = [each for each in shown if each.verdict is Verdict.IMPLAUSIBLE]
    if len(doubtful) < _LEAST_POINTS:
        return ()
    mended: defaultdict[Change, int] = defaultdict(int)
    spoiled: defaultdict[Change, int] = defaultdict(int)
    for each in shown:
        if each.verdict is Verdict.SILENT:
            continue
        for change in _changes_that(kind, each, mend=each.verdict is Verdict.IMPLAUSIBLE):
            (mended if each.verdict is Verdict.IMPLAUSIBLE else spoiled)[change] += 1
    needed = max(_LEAST_POINTS, _LEAST_SHARE * len(doubtful))
    found = [
        Hint(change, count, len(doubtful), spoiled[change])
        for change, count in mended.items()
        if count >= needed and spoiled[change] < count
    ]
    most = max((each.gain for each in found), default=0)
    best = [each for each in found if each.gain == most]
    return tuple(sorted(best, key=lambda each: (each.change.key, each.change.new)))


def _changes_that(kind: DeviceKind, shown: Shown, *, mend: bool) -> set[Change]:
    """Single changes that make a value plausible, or with ``mend=False`` those that make it implausible."""
    found = set()
    register = shown.register
    for order, data, shift in single_changes(register):
        value = value_of(register, shown.words, order, data, shift)
        if value is not None and fits(kind, shown.point, value) is mend:
            found.add(_change(register, order, data, shift))
    return found


def _change(register: Register, order: Order, data: DataType, shift: int) -> Change:
    if shift:
        return Change("shift", "0", f"{shift:+d}")
    if order is not register.order:
        return Change("order", "", order)
    return Change("data", register.data, data)
