"""What a reading costs from one size to the next, beside what it costs by and large.

By and large a reading of a small site is dear, for the site pays for being there: ticks, commits, the loop.
So two more figures are told: what each reading more takes, and what would be left without any.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from bench.campus.case import Case
from bench.report import Figures

Run = tuple[Case, Figures]


def with_steps(runs: Sequence[Run]) -> list[Run]:
    """The same runs; those behind the next smaller size also have what a reading more takes."""
    found = list(runs[:1])
    for (small, less), (large, more) in pairwise(runs):
        found.append((large, more | _step(less, more, large) if _neighbours(small, large) else more))
    return found


def in_words(runs: Sequence[Run]) -> str:
    """A line for each step."""
    lines = []
    for (small, less), (large, more) in pairwise(runs):
        if not _neighbours(small, large):
            continue
        step = _step(less, more, large)
        memory = (more["memory"] - less["memory"]) / (more["points"] - less["points"])
        lines.append(
            f"From {small.points:,} to {large.points:,} points each reading more takes"
            f" {step['cpu per reading more']:.2f} µs of CPU, each point more {memory:,.0f} bytes;"
            f" a line through both sizes has {step['cpu fixed']:.4f} cores for none."
        )
    return "\n".join(lines)


def _step(less: Figures, more: Figures, case: Case) -> Figures:
    slope = (more["cpu"] - less["cpu"]) / (more["points"] - less["points"])
    return {
        "cpu per reading more": slope * case.period * 1e6,
        "cpu fixed": less["cpu"] - slope * less["points"],
    }


def _neighbours(small: Case, large: Case) -> bool:
    """Whether they differ in size only."""
    return small.points < large.points and replace(small, points=large.points, folder=large.folder) == large
