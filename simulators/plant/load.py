"""What the racks draw: steady halls, and AI training in step over a whole hall."""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from simulators.plant.heat import between
from simulators.plant.noise import Floats, Noise, draw

TRAINING_RACK = 40e3
"""W; halls whose racks are rated higher than this in the mean train, unless told otherwise."""

_IDLE, _CHECKPOINT, _COMMUNICATION = 0.30, 0.55, 0.84
"""Share of the compute power, in the phases of a training job."""
_COMPUTE_DUTY = 0.78
"""Share of an iteration that computes."""
_IDLE_BETWEEN_JOBS = 600.0
_CHECKPOINT_LASTS = 40.0
_RAMP = 30.0
"""Seconds."""


class LoadKind(StrEnum):
    """What runs in the halls."""

    AUTO = "auto"
    """Training where racks are dense, steady elsewhere."""
    STEADY = "steady"
    TRAINING = "training"


class RackLoad:
    """Power that racks ask for, as a share of their rating."""

    def __init__(self, seed: int, hall_of: NDArray[np.int64], rated: Floats, kind: LoadKind) -> None:
        """``hall_of`` gives each rack's hall, counted from 0; ``rated`` is in W, one a rack."""
        halls = int(hall_of.max()) + 1 if len(hall_of) else 0
        racks = np.bincount(hall_of, minlength=halls)
        mean = np.bincount(hall_of, weights=rated, minlength=halls) / np.maximum(racks, 1)
        self._hall_of = hall_of
        self._training = _training(kind, mean)
        self._steady_level = draw(seed, 20, halls, 0.55, 0.70)
        self._training_level = draw(seed, 21, halls, 0.80, 0.88)
        self._iteration = draw(seed, 22, halls, 5.0, 11.0)
        self._job = draw(seed, 23, halls, 2.5, 5.0) * 3600
        self._job_begins = draw(seed, 24, halls, _IDLE_BETWEEN_JOBS, 8000.0)
        self._checkpoint = draw(seed, 25, halls, 20.0, 40.0) * 60
        self._rack_factor = draw(seed, 26, len(hall_of), 0.97, 1.03)
        self._rack_noise = Noise(seed, 27, len(hall_of), 30.0)
        self._forced = np.full(len(hall_of), np.nan)
        self._any_forced = False

    def force(self, racks: NDArray[np.int64], share: float | None) -> None:
        """Fixes the load of racks as a share of their rating, or gives them back to the model with None."""
        self._forced[racks] = np.nan if share is None else share
        self._any_forced = not bool(np.isnan(self._forced).all())

    def at(self, time: float, elapsed: float) -> Floats:
        """Share of its rating each rack asks for.

        Args:
            time: UNIX time in seconds, for the hour of the day.
            elapsed: seconds since the plant started, which is when every hall computes.
        """
        hour = time % 86400 / 3600
        steady = self._steady_level * (1 + 0.06 * np.cos((hour - 14) * np.pi / 12))
        hall = np.where(self._training, self._training_level * self._phase(elapsed), steady)
        wander = 1 + 0.01 * self._rack_noise.at(time)
        share = between(hall[self._hall_of] * self._rack_factor * wander, 0.02, 1.0)
        if self._any_forced:
            share = np.where(np.isnan(self._forced), share, self._forced * (1 + 0.002 * (wander - 1)))
        result: Floats = share
        return result

    def _phase(self, elapsed: float) -> Floats:
        computing = elapsed / self._iteration % 1.0 < _COMPUTE_DUTY
        level = np.where(computing, 1.0, _COMMUNICATION)
        in_job = (elapsed + self._job_begins) % self._job
        checkpoint = in_job % self._checkpoint > self._checkpoint - _CHECKPOINT_LASTS
        level = np.where(checkpoint, _CHECKPOINT, level)
        started = between((in_job - _IDLE_BETWEEN_JOBS) / _RAMP, 0.0, 1.0)
        result: Floats = _IDLE + (level - _IDLE) * started
        return result


def psu_efficiency(share: Floats) -> Floats:
    """Efficiency of power supplies over load as a share of their rating: best at half load."""
    return 0.965 - 0.025 * (share - 0.5) ** 2 - 0.004 / (share + 0.1)


def _training(kind: LoadKind, mean_rating: Floats) -> NDArray[np.bool_]:
    if kind is LoadKind.AUTO:
        return mean_rating >= TRAINING_RACK
    return np.full(len(mean_rating), kind is LoadKind.TRAINING)
