"""Line protocol in requests of a size the store takes; lines it refuses are found and left out.

A store that refuses a request says of one line why, at best. So the request is halved until only the lines
stand alone that are refused by themselves. Series that were refused go in requests of their own from then on,
so that they cost the others nothing.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from ingest.errors import RefusedLine, StoreRejectedError, StoreSlowError, StoreUnavailableError
from ingest.line_protocol import Lines
from ingest.stores.answers import RequestRefusedError, RequestTooLargeError

REQUEST_BYTES = 2 << 20
"""Lines in one request at most, uncompressed."""
MOST_TRIES = 500
"""Requests spent on finding the refused lines of one request; the rest is then left out untried."""

_GROWTH = 16
_LEAST_BYTES = 8 << 10
"""Of a request to a store that does not answer in time."""
_MOST_SUSPECTS = 20_000
_SAMPLE = 20
"""Lines for which a store of which nothing is known is asked one by one, when it refuses many at once."""
_GOLDEN = (math.sqrt(5) - 1) / 2
"""Multiples of it, without what is whole, lie evenly between 0 and 1, however many there are."""
_MEND = "it refuses all it was ever sent: correct the address, or see its own log"

Post = Callable[[bytes], None]
"""Sends lines; raises RequestTooLargeError, RequestRefusedError or StoreUnavailableError."""


class LineWriter:
    """Writes lines through one function, in the caller's thread."""

    def __init__(self, post: Post, request_bytes: int = REQUEST_BYTES) -> None:
        self.request_bytes = request_bytes
        """Size of the next request; halved when the store says it is too large or takes too long, grown again
        slowly."""
        self._post = post
        self._most_bytes = request_bytes
        self._tries = 0
        self._asked = 0
        """Lines for which the store was asked to get to know it, since the start: each time others."""
        self._suspects: set[bytes] = set()
        self._is_known = False
        """Whether the store has shown that it understands lines: it took some, or counted what it refused."""

    def write(self, lines: Iterable[Lines]) -> None:
        """Write all lines.

        Raises:
            StoreUnavailableError: nothing is sure to be kept.
            StoreRejectedError: these lines were refused, all others are kept.
        """
        refused: list[RefusedLine] = []
        suspect: list[Lines] = []
        for each in (self._trusted(lines, suspect), suspect):
            for request in self._requests(each):
                self._tries = 0
                refused += self._send(request)
        if len(refused) > 1 and not self._is_known:
            raise StoreUnavailableError(refused[0].reason, mend=_MEND)
        self._remember(suspect, refused)
        if refused:
            raise StoreRejectedError(refused[0].reason, refused)

    def _trusted(self, lines: Iterable[Lines], suspect: list[Lines]) -> Iterator[Lines]:
        """Lines of series that were not refused lately; the others are put into ``suspect``."""
        for line in lines:
            if self._suspects and _series(line) in self._suspects:
                suspect.append(line)
            else:
                yield line

    def _requests(self, lines: Iterable[Lines]) -> Iterator[list[Lines]]:
        """Lines in requests of the size that is right when each is made."""
        request: list[Lines] = []
        size = 0
        for line in lines:
            if request and size + len(line.body) > self.request_bytes:
                yield request
                request, size = [], 0
            request.append(line)
            size += len(line.body)
        if request:
            yield request

    def _send(self, lines: Sequence[Lines]) -> list[RefusedLine]:
        """Send these at once if the store takes them so; returns those it refuses."""
        body = b"".join(line.body for line in lines)
        self._tries += 1
        try:
            self._post(body)
        except RequestTooLargeError as error:
            if len(lines) == 1:
                return _left_out(lines, str(error))
            self.request_bytes = min(self.request_bytes, len(body) // 2)
            return [line for request in self._requests(lines) for line in self._send(request)]
        except StoreSlowError:
            # Sent again as it was, it would run out of time again.
            if len(body) > _LEAST_BYTES:
                self.request_bytes = min(self.request_bytes, max(_LEAST_BYTES, len(body) // 2))
            raise
        except RequestRefusedError as error:
            self._is_known = self._is_known or error.dropped > 0
            if not self._is_known and len(lines) > 1:
                self._get_to_know(lines, error)
            return self._search(lines, error)
        self._is_known = True
        if 2 * len(body) > self.request_bytes:
            self.request_bytes = min(self._most_bytes, self.request_bytes + self.request_bytes // _GROWTH)
        return []

    def _get_to_know(self, lines: Sequence[Lines], error: RequestRefusedError) -> None:
        """See whether a store that has taken nothing so far takes one of some lines from all over a request,
        or says that it dropped one.

        Lines of many kinds are not all wrong: what refuses them is no store, or not the one that is meant. To
        search them would take hundreds of requests, each time anew. What is taken here is sent again with the
        others, like all that a refused request had beside its bad lines: a store has it once.
        """
        for _ in range(_SAMPLE):
            self._asked += 1
            line = lines[int(self._asked * _GOLDEN % 1 * len(lines))]
            try:
                self._post(line.body)
            except RequestTooLargeError:
                continue
            except RequestRefusedError as refused:
                if not refused.dropped:
                    continue
            self._is_known = True
            return
        raise StoreUnavailableError(str(error), mend=_MEND)

    def _search(self, lines: Sequence[Lines], error: RequestRefusedError) -> list[RefusedLine]:
        """Those of a refused request that are refused by themselves; the others are sent."""
        if len(lines) == 1 or error.dropped >= len(lines):
            return _left_out(lines, str(error))
        if self._tries >= MOST_TRIES:
            return _left_out(lines, f"{error}; left out with its neighbours, as too many lines were refused")
        left, right = _halves(lines)
        refused = self._send(left)
        if not refused and len(right) > 1:
            return self._search(right, error)  # it must be there: no need to ask
        return [*refused, *self._send(right)]

    def _remember(self, suspect: Sequence[Lines], refused: Sequence[RefusedLine]) -> None:
        """Suspect is from now on what was refused, and no longer what was taken."""
        bad = {_series(line) for line in refused}
        self._suspects -= {_series(line) for line in suspect} - bad
        if len(self._suspects) + len(bad) <= _MOST_SUSPECTS:
            self._suspects |= bad


def _halves(lines: Sequence[Lines]) -> tuple[Sequence[Lines], Sequence[Lines]]:
    middle = len(lines) // 2
    return lines[:middle], lines[middle:]


def _series(line: Lines | RefusedLine) -> bytes:
    """Measurement and tags, or near enough: a tag with a blank only widens what is sent apart."""
    return line.body.partition(b" ")[0]


def _left_out(lines: Sequence[Lines], reason: str) -> list[RefusedLine]:
    return [RefusedLine(line.body, line.points, reason) for line in lines]
