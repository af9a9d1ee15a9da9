"""How often what went wrong at an endpoint. While nothing does it takes next to no memory."""


class Tally:
    """Counts by class, as a Counter does; its table is made with the first of them."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, int] | None = None

    def __getitem__(self, kind: str, /) -> int:
        return 0 if self._counts is None else self._counts.get(kind, 0)

    def __setitem__(self, kind: str, count: int, /) -> None:
        if self._counts is None:
            self._counts = {}
        self._counts[kind] = count

    def __bool__(self) -> bool:
        return self._counts is not None

    def counts(self) -> dict[str, int]:
        """What there was, by class."""
        return dict(self._counts or {})
