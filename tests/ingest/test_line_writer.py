"""Requests are as large as the store takes; refused lines are found in few of them."""

import itertools
import math

import pytest

from ingest.errors import StoreRejectedError, StoreUnavailableError
from ingest.line_protocol import Lines
from ingest.stores.answers import RequestRefusedError, RequestTooLargeError
from ingest.stores.line_writer import MOST_TRIES, LineWriter


class Server:
    """Keeps lines; refuses those with ``bad`` in them, as a store does that keeps the rest, or none."""

    def __init__(self, *, partial: bool = True, counts: bool = True) -> None:
        self.kept: set[bytes] = set()
        self.requests: list[int] = []
        self.most = math.inf
        self.partial = partial
        self.counts = counts

    def post(self, body: bytes) -> None:
        self.requests.append(len(body))
        if len(body) > self.most:
            raise RequestTooLargeError("too large")
        lines = body.splitlines(keepends=True)
        bad = [line for line in lines if b"bad" in line]
        if self.partial or not bad:
            self.kept |= set(lines) - set(bad)
        if bad:
            raise RequestRefusedError(f"no {bad[0].decode().split()[0]}", len(bad) if self.counts else 0)


def lines(count: int, *bad: int) -> list[Lines]:
    return [Lines(b"%s,d=%05d v=1.0 5\n" % (b"bad" if n in bad else b"pdu", n), 2) for n in range(count)]


def refused_by(writer: LineWriter, given: list[Lines]) -> list[tuple[bytes, int, str]]:
    with pytest.raises(StoreRejectedError) as caught:
        writer.write(given)
    return [(line.body, line.points, line.reason) for line in caught.value.lines]


@pytest.mark.parametrize("partial", [True, False])
@pytest.mark.parametrize("counts", [True, False])
def test_three_poison_lines_in_five_thousand_are_found(*, partial: bool, counts: bool) -> None:
    server = Server(partial=partial, counts=counts)
    given = lines(5000, 17, 2500, 4999)
    assert refused_by(LineWriter(server.post), given) == [
        (b"bad,d=00017 v=1.0 5\n", 2, "no bad,d=00017"),
        (b"bad,d=02500 v=1.0 5\n", 2, "no bad,d=02500"),
        (b"bad,d=04999 v=1.0 5\n", 2, "no bad,d=04999"),
    ]
    assert len(server.kept) == 4997
    assert len(server.requests) <= 60


def test_lines_that_are_all_refused_cost_one_request_if_the_store_counts() -> None:
    server = Server()
    assert len(refused_by(LineWriter(server.post), lines(5000, *range(5000)))) == 5000
    assert len(server.requests) == 1


def test_the_search_is_bounded() -> None:
    server = Server(counts=False)
    found = refused_by(LineWriter(server.post), lines(5000, *range(0, 5000, 2)))
    assert len(server.requests) <= MOST_TRIES + 20
    assert len(server.kept | {body for body, _, _ in found}) == 5000, "what is not written is handed back"
    assert found[-1][2].endswith("left out with its neighbours, as too many lines were refused")


def test_series_that_were_refused_cost_the_others_nothing_from_then_on() -> None:
    server = Server()
    writer = LineWriter(server.post)
    refused_by(writer, lines(1000, 17, 500, 999))
    server.requests.clear()
    assert [body for body, _, _ in refused_by(writer, lines(1000, 17, 500, 999))] == [
        b"bad,d=00017 v=1.0 5\n",
        b"bad,d=00500 v=1.0 5\n",
        b"bad,d=00999 v=1.0 5\n",
    ]
    assert len(server.requests) == 2


def test_a_series_that_is_taken_again_is_no_longer_apart() -> None:
    server = Server()
    writer = LineWriter(server.post)
    refused_by(writer, [Lines(b"pdu v=bad 5\n", 1), *lines(3)])
    server.requests.clear()
    writer.write([Lines(b"pdu v=1.0 6\n", 1), *lines(3)])
    assert len(server.requests) == 2
    writer.write([Lines(b"pdu v=1.0 7\n", 1), *lines(3)])
    assert len(server.requests) == 3


def test_a_request_that_fails_for_another_reason_condemns_no_line() -> None:
    kept: list[bytes] = []

    def post(body: bytes) -> None:
        if not kept:
            kept.append(b"")
            raise RequestRefusedError("once only")
        kept.append(body)

    LineWriter(post).write(lines(64))
    taken = set(b"".join(kept).splitlines(keepends=True))  # one of them twice, which changes nothing
    assert sorted(taken) == [line.body for line in lines(64)]


def test_requests_are_halved_when_too_large_and_grow_slowly_again() -> None:
    server = Server()
    server.most = 100_000
    writer = LineWriter(server.post, request_bytes=400_000)
    given = lines(30_000)
    writer.write(given)
    assert len(server.kept) == 30_000
    assert sum(size > 100_000 for size in server.requests) <= 8
    assert 50_000 <= writer.request_bytes <= 120_000
    server.most = math.inf
    former = writer.request_bytes
    writer.write(given[:4000])
    assert former < writer.request_bytes < 1.2 * former
    for _ in range(10):
        writer.write(given)
    assert writer.request_bytes == 400_000


def test_a_single_line_that_is_too_large_is_refused() -> None:
    server = Server()
    server.most = 1000
    long = Lines(b"pdu,d=%s v=1.0 5\n" % (b"x" * 2000), 1)
    found = refused_by(LineWriter(server.post), [*lines(20), long, *lines(20)])
    assert found == [(long.body, 1, "too large")]
    assert len(server.kept) == 20


def test_a_store_that_goes_away_meanwhile_says_so() -> None:
    def post(body: bytes) -> None:
        raise StoreUnavailableError("gone")

    with pytest.raises(StoreUnavailableError):
        LineWriter(post).write(lines(3))


def test_who_refuses_all_it_was_ever_sent_is_not_believed_until_it_has_taken_something() -> None:
    server = Server(counts=False)
    writer = LineWriter(server.post)
    for _ in range(2):
        with pytest.raises(StoreUnavailableError, match="refuses all it was ever sent"):
            writer.write(lines(10, *range(10)))
    writer.write(lines(1))
    assert len(refused_by(writer, lines(10, *range(10)))) == 10


def test_a_single_line_is_refused_for_what_it_is() -> None:
    assert len(refused_by(LineWriter(Server(counts=False).post), lines(1, 0))) == 1


def test_who_was_never_seen_to_take_a_line_is_asked_for_twenty_of_a_million() -> None:
    server = Server(counts=False)
    writer = LineWriter(server.post)
    with pytest.raises(StoreUnavailableError, match="refuses all it was ever sent"):
        writer.write(Lines(b"bad,d=%07d v=1.0 5\n" % n, 2) for n in range(1_000_000))
    assert len(server.requests) == 21
    assert sum(server.requests[1:]) == 20 * len(b"bad,d=0000000 v=1.0 5\n")


def test_the_lines_it_is_asked_for_lie_all_over_the_request_and_are_others_each_time() -> None:
    asked: list[int] = []

    def post(body: bytes) -> None:
        if body.count(b"\n") == 1:
            asked.append(int(body.partition(b"d=")[2].split()[0]))
        raise RequestRefusedError("no")

    writer = LineWriter(post)
    for _ in range(2):
        with pytest.raises(StoreUnavailableError):
            writer.write(lines(5000))
    assert len(asked) == len(set(asked)) == 40
    edges = [0, *sorted(asked[:20]), 5000]
    assert max(later - earlier for earlier, later in itertools.pairwise(edges)) < 500


@pytest.mark.parametrize("bad", [range(10), range(9)], ids=["all", "all but one"])
def test_a_store_that_counts_only_what_it_dropped_of_a_single_line_is_known_by_that(bad: range) -> None:
    """As InfluxDB 1 does where the first line that is wrong cannot be read: it says ``dropped=0``."""
    server = Server(partial=False)

    def post(body: bytes) -> None:
        try:
            server.post(body)
        except RequestRefusedError as error:
            raise RequestRefusedError(str(error), error.dropped if body.count(b"\n") == 1 else 0) from error

    found = refused_by(LineWriter(post), lines(10, *bad))
    assert [body for body, _, _ in found] == [b"bad,d=%05d v=1.0 5\n" % n for n in bad]
    assert [points for _, points, _ in found] == [2] * len(bad)
    assert server.kept == {b"pdu,d=%05d v=1.0 5\n" % n for n in set(range(10)) - set(bad)}
    assert len(server.requests) <= 1 + 1 + 18, "the request, one line of it, and the search"


def test_a_store_that_refuses_the_first_four_of_five_lines_is_known_by_the_others() -> None:
    server = Server(counts=False, partial=False)
    found = refused_by(LineWriter(server.post), lines(5000, *range(4000)))
    assert len(server.requests) <= MOST_TRIES + 20
    assert len(server.kept | {body for body, _, _ in found}) == 5000
