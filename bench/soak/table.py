"""The outcome of a soak as tables that a page of the docs can hold."""

import statistics
from collections.abc import Callable

from bench.report import verdict
from bench.soak.load import FIELDS
from bench.soak.run import Options, Outcome
from bench.soak.verdict import Verdict


def table(options: Options, outcome: Outcome) -> str:
    """What was done, what each store has, and whether each promise is kept."""
    return "\n".join(
        [*_done(options, outcome), "", *_stores(options, outcome), "", *_promises(options, outcome)]
    )


def _done(options: Options, outcome: Outcome) -> list[str]:
    load, lives = outcome.load, outcome.lives
    lengths = [(life.end - life.start) / 1e9 for life in lives if life.killed]
    restarts = ", ".join(f"{name} {count}" for name, count in sorted(outcome.outages.items()))
    load_line = (
        f"{load.rate:,} points/s: {load.polled} Modbus devices of 100 points every second,"
        f" {load.messages:.0f} messages/s of {FIELDS} points from {load.publishing} devices"
    )
    kills_line = (
        f"killed {len(lengths)} times in {outcome.took:.0f} s,"
        f" lives of {min(lengths):.1f} to {max(lengths):.1f} s (seed {options.seed}); restarts: {restarts}"
    )
    lines = [
        load_line,
        kills_line,
        f"{outcome.reads:,} reads answered, {outcome.messages:,} messages acknowledged by the broker",
    ]
    if outcome.first_reads:
        median, most = statistics.median(outcome.first_reads), max(outcome.first_reads)
        lines.append(
            f"first read after a start: {median:.1f} s, {most:.1f} s at most; from then to the kill"
            f" {outcome.read_share:.1%} of the polls that were due were answered"
        )
    return lines


def _stores(options: Options, outcome: Outcome) -> list[str]:
    names = list(outcome.verdicts)
    rows: list[tuple[str, list[str]]] = [
        ("points of messages", [_share(v.messages, v.messages_due) for v in outcome.verdicts.values()]),
        ("of them at two times", _counts(outcome, lambda v: v.messages_twice)),
        ("polled readings", [_share(v.polled, v.polled_due) for v in outcome.verdicts.values()]),
        ("of them at two times", _counts(outcome, lambda v: v.polled_twice)),
        (
            f"missing, of the last {options.allowed_loss:g} s before a kill",
            _counts(outcome, lambda v: v.excused),
        ),
        ("missing, older than that", _counts(outcome, lambda v: v.lost)),
        ("oldest missing, s before its kill", [f"{v.oldest_lost:.2f}" for v in outcome.verdicts.values()]),
        ("readings nobody gave", _counts(outcome, lambda v: v.strange)),
    ]
    head = [f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    return [*head, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows)]


def _promises(options: Options, outcome: Outcome) -> list[str]:
    found = outcome.verdicts.values()
    whole = all(v.messages == v.messages_due and not v.messages_twice for v in found)
    return [
        verdict(whole, "every message of QoS 1 is in every store exactly once"),
        verdict(
            not any(v.lost for v in found),
            f"nothing polled is missing but of the last {options.allowed_loss:g} s before a kill",
        ),
        verdict(
            not any(v.polled_twice or v.strange for v in found), "no reading twice, none that nobody gave"
        ),
        verdict(
            not outcome.stop_code and not outcome.tracebacks,
            "an orderly stop at the end, no traceback in the log",
        ),
        f"written to the history again, as the same readings: {outcome.written_again:,}",
    ]


def _counts(outcome: Outcome, count: Callable[[Verdict], int]) -> list[str]:
    return [f"{count(each):,}" for each in outcome.verdicts.values()]


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,}"
