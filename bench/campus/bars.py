"""What is asked of a campus: each bar, beside the figure it is held against."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.campus.case import Case
from bench.report import Figures

CAMPUS = 1_000_000
_MOST_CPU, _MOST_CPU_EVERY_SECOND, _MOST_CPU_WITH_STORE = 0.35, 1.2, 0.45
_MOST_MEMORY = 800e6
_MOST_LATE, _MOST_TICK, _MOST_STALL = 250.0, 150.0, 100.0
_MOST_BEHIND_POLL = 1.2
_MOST_CHECK, _MOST_START, _MOST_RELOAD = 10.0, 30.0, 1.0
_MOST_SCRAPE = 300.0
_MOST_SPREAD = 0.25
_REFERENCE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar and how it went."""

    text: str
    figure: str
    """What was found; ``not measured`` if nothing was."""
    kept: bool | None
    """None if it was not measured."""


@dataclass(frozen=True, slots=True)
class _Limit:
    name: str
    text: str
    most: float
    form: str
    """How the figure is written."""
    scale: float = 1.0
    """The figure is multiplied by it."""


def of_one_run(case: Case, found: Figures) -> list[Bar]:
    """The bars of one run. CPU, memory and start are held against those of the whole campus only."""
    return [_held(limit, found) for limit in _limits(case)]


def of_the_curve(runs: Sequence[tuple[Case, Figures]]) -> list[Bar]:
    """CPU per reading of the campus beside that of a hundredth of it.

    More than a quarter above or below it breaks the bar: what a point costs would grow with the site, or a
    small site pays for more than its points.
    """
    plain: Mapping[tuple[int, float], Figures] = {
        (case.points, case.period): found
        for case, found in runs
        if not (case.dead or case.store or case.scrape)
    }
    bars = []
    for (points, period), found in plain.items():
        small = plain.get((_REFERENCE, period))
        name = "cpu per reading"
        if points != CAMPUS or small is None or name not in found or name not in small:
            continue
        ratio = found[name] / small[name]
        bars.append(
            Bar(
                text=f"every {period:g} s: CPU per reading of {CAMPUS:,} points"
                f" within ± {_MOST_SPREAD:.0%} of that of {_REFERENCE:,}",
                figure=f"{ratio:.2f} of it",
                kept=abs(ratio - 1) <= _MOST_SPREAD,
            )
        )
    return bars


def _limits(case: Case) -> list[_Limit]:
    prompt = [
        _Limit("polls missed", "polls missed", 0, "{:,.0f}"),
        _Limit("late p99", "lateness of polls p99, ms", _MOST_LATE, "{:.1f}"),
        _Limit("tick p99", "tick p99, ms", _MOST_TICK, "{:.1f}"),
        _Limit("stall max", "longest stall of the event loop, ms", _MOST_STALL, "{:.0f}"),
    ]
    limits = [
        *prompt,
        *(replace(each, name=f"asked {each.name}", text=f"{each.text}, while asked") for each in prompt),
        _Limit(
            "shown behind the poll p99",
            "register change to API p99, s, poll wait left out",
            _MOST_BEHIND_POLL,
            "{:.2f}",
        ),
        _Limit("scrape max", "/metrics, slowest, ms", _MOST_SCRAPE, "{:.0f}"),
        _Limit("reload", "reload of one device, s", _MOST_RELOAD, "{:.2f}"),
        _Limit("reload missed", "polls missed around the reload", 0, "{:,.0f}"),
    ]
    if case.points == CAMPUS:
        limits += [
            _Limit("cpu", "CPU of dcops, cores", _most_cpu(case), "{:.3f}"),
            _Limit("memory", "resident memory, MB", _MOST_MEMORY / 1e6, "{:.0f}", 1e-6),
            _Limit(
                "reload memory", "resident memory around the reload, MB", _MOST_MEMORY / 1e6, "{:.0f}", 1e-6
            ),
            _Limit("check", "dcops check, s", _MOST_CHECK, "{:.1f}"),
            _Limit("first cycle", "start to the first full cycle, s", _MOST_START, "{:.1f}"),
        ]
    return limits


def _most_cpu(case: Case) -> float:
    if case.period < 10:
        return _MOST_CPU_EVERY_SECOND
    return _MOST_CPU_WITH_STORE if case.store else _MOST_CPU


def _held(limit: _Limit, found: Figures) -> Bar:
    text = f"{limit.text} ≤ {limit.most:g}"
    if limit.name not in found:
        return Bar(text=text, figure="not measured", kept=None)
    value = found[limit.name] * limit.scale
    return Bar(text=text, figure=limit.form.format(value), kept=value <= limit.most)
