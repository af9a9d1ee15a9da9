"""What to subscribe to."""

from collections.abc import Iterable, Sequence

MOST_TOPICS = 200
"""Up to so many topics are subscribed one by one; more are joined by wildcards."""


def subscriptions(topics: Iterable[str]) -> list[str]:
    """What to subscribe to: the topics, or, if they are many, one pattern for all of the same depth.

    A pattern keeps the words the topics share and has ``+`` where they differ.
    """
    wanted = sorted(set(topics))
    if len(wanted) <= MOST_TOPICS:
        return wanted
    by_depth: dict[int, list[Sequence[str]]] = {}
    for topic in wanted:
        words = topic.split("/")
        by_depth.setdefault(len(words), []).append(words)
    return ["/".join(_shared(column) for column in zip(*rows, strict=True)) for rows in by_depth.values()]


def _shared(words: Sequence[str]) -> str:
    return words[0] if len(set(words)) == 1 else "+"
