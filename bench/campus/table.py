"""What is printed and written: the figures of all runs side by side, and the bars."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path

from bench.campus import curve
from bench.campus.bars import Bar
from bench.campus.case import Case
from bench.report import Figures

NOT_MEASURED = "–"


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    label: str
    form: str = "{:.1f}"
    scale: float = 1.0


_ROWS = (
    _Row("points", "points", "{:,.0f}"),
    _Row("readings", "readings a second", "{:,.0f}"),
    _Row("seconds", "CPU and polls: while nobody asks, s", "{:.0f}"),
    _Row("cpu", "CPU of dcops, cores", "{:.4f}"),
    _Row("cpu per reading", "CPU per reading, µs", "{:.2f}"),
    _Row("cpu per reading more", "… of each more than at the size before, µs", "{:.2f}"),
    _Row("cpu fixed", "… fixed: of no reading at all, by both sizes, cores", "{:.4f}"),
    _Row("memory", "resident memory, MB", "{:,.0f}", 1e-6),
    _Row("memory per point", "… bytes per point", "{:,.0f}"),
    _Row("polls due", "polls due", "{:,.0f}"),
    _Row("polls done", "polls done", "{:,.0f}"),
    _Row("polls missed", "polls missed", "{:,.0f}"),
    _Row("polls failed", "polls failed", "{:,.0f}"),
    _Row("missed since start", "polls missed since the start", "{:,.0f}"),
    _Row("late p50", "lateness of polls p50, ms"),
    _Row("late p99", "lateness of polls p99, ms"),
    _Row("tick p50", "tick p50, ms"),
    _Row("tick p99", "tick p99, ms"),
    _Row("ticks late", "ticks left out", "{:.0f}"),
    _Row("stall max", "longest stall of the event loop, ms", "{:.0f}"),
    _Row("stalls", "stalls above 50 ms", "{:.0f}"),
    _Row("stall beside", "… of this bench, which does next to nothing, ms", "{:.0f}"),
    _Row("asked seconds", "latencies: while the bench asks, s", "{:.0f}"),
    _Row("asked cpu", "CPU of dcops then, cores", "{:.4f}"),
    _Row("asked polls missed", "polls missed then", "{:,.0f}"),
    _Row("asked late p99", "lateness of polls then p99, ms"),
    _Row("asked tick p99", "tick then p99, ms"),
    _Row("asked stall max", "longest stall of the event loop then, ms", "{:.0f}"),
    _Row("changes", "register changes followed", "{:.0f}"),
    _Row("shown p50", "change to API p50, s", "{:.2f}"),
    _Row("shown p99", "change to API p99, s", "{:.2f}"),
    _Row("shown behind the poll p50", "… poll wait left out p50, s", "{:.3f}"),
    _Row("shown behind the poll p99", "… poll wait left out p99, s", "{:.3f}"),
    _Row("alarm p50", "change to alarm p50, s", "{:.2f}"),
    _Row("alarm p99", "change to alarm p99, s", "{:.2f}"),
    _Row("alarm behind the poll p99", "… poll wait left out p99, s", "{:.3f}"),
    _Row("scrape p50", "/metrics p50, ms", "{:.0f}"),
    _Row("scrape max", "/metrics slowest, ms", "{:.0f}"),
    _Row("scrape bytes", "/metrics, kB", "{:,.0f}", 1e-3),
    _Row("dropped", "readings lost to the journal", "{:,.0f}"),
    _Row("generate", "dcops site generate, s"),
    _Row("check", "dcops check, s"),
    _Row("start", "start to the first answer, s"),
    _Row("first cycle", "start to the first full cycle, s"),
    _Row("never read", "points never heard of", "{:,.0f}"),
    _Row("reload", "reload of one device, s", "{:.2f}"),
    _Row("reload missed", "polls missed around the reload", "{:.0f}"),
    _Row("reload memory", "resident memory around it, MB", "{:,.0f}", 1e-6),
    _Row("stop", "stop, s"),
    _Row("store cpu", "VictoriaMetrics, cores", "{:.3f}"),
    _Row("store memory", "VictoriaMetrics, MB", "{:,.0f}", 1e-6),
    _Row("simulator cpu", "simulator, cores", "{:.3f}"),
    _Row("other cpu", "everything else on the machine, cores", "{:.3f}"),
    _Row("load before", "load of the machine before"),
)
_STAGE, _LAG = "stage ", "lag "
_BEHIND = "cpu fixed"
"""Row behind which the stages stand."""
_SHOWN = 0.0005
"""Stages below so many cores everywhere are left out."""


def figures(runs: Sequence[tuple[Case, Figures]]) -> str:
    """All figures as a Markdown table, a run a column; what was not measured is a dash."""
    rows: list[_Row] = []
    for row in _ROWS:
        rows.append(row)
        if row.name == _BEHIND:
            rows += [_Row(each, f"… {each.removeprefix(_STAGE)}", "{:.3f}") for each in _stages(runs)]
        if row.name == "dropped":
            rows += [
                _Row(each, f"lag of store {each.removeprefix(_LAG)}, at most, s")
                for each in _names(runs, _LAG)
            ]
    lines = [
        "| | " + " | ".join(case.name for case, _ in runs) + " |",
        "|---|" + "---:|" * len(runs),
    ]
    for row in rows:
        cells = [_cell(row, found) for _, found in runs]
        if any(cell != NOT_MEASURED for cell in cells) or row.name == "reload":
            lines.append(f"| {row.label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def bars(held: Sequence[tuple[str, Sequence[Bar]]]) -> str:
    """All bars as a Markdown table."""
    words = {True: "kept", False: "**BROKEN**", None: "not measured"}
    lines = ["| run | bar | found | |", "|---|---|---:|---|"]
    lines += [
        f"| {name} | {bar.text} | {bar.figure} | {words[bar.kept]} |" for name, found in held for bar in found
    ]
    return "\n".join(lines)


def write(
    path: Path, machine: str, runs: Sequence[tuple[Case, Figures]], held: Sequence[tuple[str, Sequence[Bar]]]
) -> None:
    """Write ``PATH.md`` and ``PATH.json``."""
    text = f"{machine}\n\n{figures(runs)}\n\n{curve.in_words(runs)}\n\n{bars(held)}\n"
    path.with_suffix(".md").write_text(text, encoding="utf-8")
    document = {
        "machine": machine.splitlines(),
        "runs": [
            {"case": {**asdict(case), "folder": str(case.folder)}, "figures": _finite(found)}
            for case, found in runs
        ],
        "bars": [{"run": name, **asdict(bar)} for name, found in held for bar in found],
    }
    path.with_suffix(".json").write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")


def _finite(found: Figures) -> dict[str, float | None]:
    """What never ended is null: JSON has no word for it."""
    return {name: value if isfinite(value) else None for name, value in found.items()}


def _stages(runs: Sequence[tuple[Case, Figures]]) -> list[str]:
    """Stages of which something is to be seen, the costliest of the last run first."""
    names = [name for name in _names(runs, _STAGE) if any(found.get(name, 0) >= _SHOWN for _, found in runs)]
    return sorted(names, key=lambda name: -runs[-1][1].get(name, 0.0))


def _names(runs: Sequence[tuple[Case, Figures]], prefix: str) -> list[str]:
    return sorted({name for _, found in runs for name in found if name.startswith(prefix)})


def _cell(row: _Row, found: Figures) -> str:
    return row.form.format(found[row.name] * row.scale) if row.name in found else NOT_MEASURED
