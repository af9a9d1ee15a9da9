"""One counter and its power, read as a test wants."""

import math

import numpy as np

from facility.energy import CounterBook
from facility.quality import Quality
from facility.sample import NANOSECONDS
from facility.sources import Estimate, Instant
from tests.facility.plant import START


class Meter:
    """One counter of a 3.6 MW meter (1 kWh a second at full load) with its power."""

    def __init__(self, modulus=math.nan, rating=3.6e6):
        point = np.array([0])
        self.book = CounterBook(point, point, np.array([rating]), np.array([modulus]), 3600.0)
        self.reading, self.time, self.quality = math.nan, 0, Quality.WAITING_FOR_DATA

    def read(self, second, reading):
        self.reading, self.time, self.quality = reading, START + second * NANOSECONDS, Quality.GOOD

    def lose(self):
        self.quality = Quality.COMM_FAILURE_LAST_VALUE

    def hear(self, second, reading):
        """Read it, and say at once what it comes to."""
        self.read(second, reading)
        return self.at(second)

    def at(self, second, power=3.6e6, code=Quality.GOOD):
        instant = Instant(
            np.array([self.reading]),
            np.array([self.time]),
            np.array([self.quality], dtype=np.uint8),
            START + second * NANOSECONDS,
        )
        codes = np.array([code], dtype=np.uint8)
        rates = Estimate(np.array([power]), codes, codes >= 192, np.zeros(1), np.ones(1))
        amounts = self.book.update(instant, rates)
        return float(amounts.total[0]), float(amounts.estimated[0])
