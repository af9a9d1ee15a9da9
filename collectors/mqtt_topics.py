"""Topics of devices, and what to subscribe to for them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

MOST_TOPICS = 200
"""Up to so many topics are subscribed one by one; more are joined by wildcards."""
_UP = "../"


class Topic(NamedTuple):
    """A topic of a device."""

    whole: str
    below: str
    """The end of it that is the same for all devices of the make; empty if it is the device's own topic."""
    of_liveness: bool = False


def topic_of(device: str, below: str, *, of_liveness: bool = False) -> Topic:
    """The topic at a place below a device's own, from which each ``../`` goes one level up.

    Raises:
        ValueError: there are not so many levels.
    """
    if not below:
        return Topic(device, "", of_liveness)
    words, rest = device.split("/"), below
    while rest.startswith(_UP):
        if not words:
            raise ValueError(f"{below!r} goes up further than {device!r} has levels")
        words.pop()
        rest = rest.removeprefix(_UP)
    return Topic("/".join([*words, rest]), rest, of_liveness)


def subscriptions(topics: Iterable[Topic]) -> dict[str, bool]:
    """What to subscribe to: the topics, or, if they are many, one pattern for all that end alike.

    A pattern keeps the words that the topics of devices share and has ``+`` where they differ, and ends with
    what follows the devices' topics. So it brings of foreign devices no more than the very points that are
    read of ours. No topic is in two patterns: brokers may send its messages twice.

    Returns:
        Each with whether it tells of liveness.
    """
    exact: dict[str, bool] = {}
    alike: defaultdict[tuple[str, int, bool], list[str]] = defaultdict(list)
    for whole, below, of_liveness in topics:
        exact[whole] = of_liveness or exact.get(whole, False)
        alike[below, whole.count("/"), of_liveness].append(whole)
    if len(exact) <= MOST_TOPICS:
        return dict(sorted(exact.items()))
    by_depth: defaultdict[int, list[_Pattern]] = defaultdict(list)
    for (_, depth, of_liveness), wholes in alike.items():
        by_depth[depth].append(_Pattern(_shared([whole.split("/") for whole in wholes]), of_liveness))
    found = (pattern for patterns in by_depth.values() for pattern in _apart(patterns))
    return {"/".join(pattern.words): pattern.of_liveness for pattern in found}


class _Pattern(NamedTuple):
    words: Sequence[str]
    of_liveness: bool


def _shared(rows: Iterable[Sequence[str]]) -> Sequence[str]:
    return [column[0] if len(set(column)) == 1 else "+" for column in zip(*rows, strict=True)]


def _apart(patterns: Iterable[_Pattern]) -> list[_Pattern]:
    """The same of one depth, those joined that a topic may fit both of."""
    wild: list[_Pattern] = []
    plain: list[_Pattern] = []
    for each in sorted(patterns, key=lambda pattern: "+" not in pattern.words):
        words, of_liveness = each
        while (other := next((other for other in wild if _meet(words, other.words)), None)) is not None:
            wild.remove(other)
            words, of_liveness = _shared([words, other.words]), of_liveness or other.of_liveness
        (wild if "+" in words else plain).append(_Pattern(words, of_liveness))
    return wild + plain


def _meet(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether a topic fits both."""
    return all(mine == its or "+" in (mine, its) for mine, its in zip(one, other, strict=True))
