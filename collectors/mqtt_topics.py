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
    words = device.split("/")
    while below.startswith(_UP):
        if not words:
            raise ValueError(f"{below!r} goes up further than {device!r} has levels")
        words.pop()
        below = below.removeprefix(_UP)
    return Topic("/".join([*words, below]), below, of_liveness)


def subscriptions(topics: Iterable[Topic]) -> dict[str, bool]:
    """What to subscribe to: the topics, or, if they are many, one pattern for all that end alike.

    A pattern keeps the words that the topics of devices share and has ``+`` where they differ, and ends with
    what follows the devices' topics. So it brings of foreign devices no more than the very points that are
    read of ours. No topic is in two patterns: brokers may send its messages twice.

    Returns:
        Each with whether it tells of liveness.
    """
    wanted = {(topic.whole, topic.below, topic.of_liveness) for topic in topics}
    exact: dict[str, bool] = {}
    for whole, _, of_liveness in sorted(wanted):
        exact[whole] = of_liveness or exact.get(whole, False)
    if len(exact) <= MOST_TOPICS:
        return exact
    alike: defaultdict[tuple[str, int], list[_Pattern]] = defaultdict(list)
    for whole, below, of_liveness in sorted(wanted):
        words = whole.split("/")
        alike[below, len(words)].append(_Pattern(words, of_liveness))
    by_depth: defaultdict[int, list[_Pattern]] = defaultdict(list)
    for (_, depth), patterns in alike.items():
        by_depth[depth].append(_joined(patterns))
    found = (pattern for patterns in by_depth.values() for pattern in _apart(patterns))
    return {"/".join(pattern.words): pattern.of_liveness for pattern in found}


class _Pattern(NamedTuple):
    words: Sequence[str]
    of_liveness: bool


def _joined(patterns: Sequence[_Pattern]) -> _Pattern:
    columns = zip(*(pattern.words for pattern in patterns), strict=True)
    words = [column[0] if len(set(column)) == 1 else "+" for column in columns]
    return _Pattern(words, any(pattern.of_liveness for pattern in patterns))


def _apart(patterns: Iterable[_Pattern]) -> list[_Pattern]:
    """The same of one depth, those joined that a topic may fit both of."""
    wild: list[_Pattern] = []
    plain: list[_Pattern] = []
    for each in sorted(patterns, key=lambda pattern: "+" not in pattern.words):
        pattern = each
        while (other := next((other for other in wild if _meet(pattern, other)), None)) is not None:
            wild.remove(other)
            pattern = _joined([pattern, other])
        (wild if "+" in pattern.words else plain).append(pattern)
    return wild + plain


def _meet(one: _Pattern, other: _Pattern) -> bool:
    """Whether a topic fits both."""
    return all(mine == its or "+" in (mine, its) for mine, its in zip(one.words, other.words, strict=True))
