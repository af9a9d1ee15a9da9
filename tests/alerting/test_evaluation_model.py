"""Random readings against a model that is nothing but words: one point, one rule, one number that runs."""

import math
from random import Random

import pytest

from alerting import chatter
from facility.quality import Quality
from tests.alerting.plant import SECOND, T0, Plant

POINTS = ("k01-climate.air_inlet_temperature", "k02-climate.air_inlet_temperature")
RULE = """
- name: warm
  point: air_inlet_temperature
  high: 30 °C
  deadband: 2 K
  on_delay: 60s
  off_delay: 30s
  priority: low
  action: Look.
"""


class Model:
    """Raised after 60 s of good readings from 30 °C on, cleared after 30 s of good ones below 28 °C."""

    def __init__(self) -> None:
        self.active = False
        self.lasted = 0.0
        self.before: float | None = None
        """Time of the good reading before that said the same; None if there was none, or a bad one since."""

    def reading(self, value: float, at: float, *, good: bool) -> str:
        if not good:
            self.before = None
            return ""
        if not (value < 28.0 if self.active else value >= 30.0):
            self.before, self.lasted = None, 0.0
            return ""
        if self.before is not None:
            self.lasted += at - self.before
        self.before = at
        if self.lasted < (30.0 if self.active else 60.0):
            return ""
        self.before, self.lasted, self.active = None, 0.0, not self.active
        return "raised" if self.active else "cleared"


@pytest.mark.parametrize("seed", range(20))
def test_alarms_come_and_go_as_the_model_says(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chatter, "MOST_TIMES", 1_000)  # that is the board's
    random = Random(seed)  # noqa: S311 - a seed
    plant = Plant()
    rules = plant.parse(RULE).rules
    plant.watch = plant.make_watch(rules)
    models = {point: Model() for point in POINTS}
    value = dict.fromkeys(POINTS, 26.0)
    expected, told = [], []
    for tick in range(1, 2_000):
        if random.random() < 0.005:  # dcops ends and starts: only what is up is known
            plant.values[:], plant.times[:], plant.quality[:] = math.nan, 0, Quality.WAITING_FOR_DATA
            plant.watch = plant.make_watch(rules)
            plant.watch.resume(T0 + tick * SECOND)
            for model in models.values():
                model.before, model.lasted = None, 0.0
        for point, model in models.items():
            if random.random() < 0.03:
                value[point] = random.choice((26.0, 27.9, 28.0, 29.0, 30.0, 33.0))
            if tick % 10 == 0:
                good = random.random() < 0.9
                plant.read(
                    point, value[point], tick, Quality.GOOD if good else Quality.COMM_FAILURE_LAST_VALUE
                )
                change = model.reading(value[point], tick, good=good)
                if change:
                    expected.append((point, change, tick))
        before = len(plant.told)
        plant.watch.watch(T0 + tick * SECOND)
        for alarm in plant.told[before:]:
            if alarm.rule == "warm":
                time = alarm.raised if alarm.cleared is None else alarm.cleared
                change = "raised" if alarm.cleared is None else "cleared"
                told.append((f"{alarm.device}.{alarm.point}", change, (time - T0) // SECOND))
    assert sorted(told) == sorted(expected)
    assert told
