"""Making readers of devices over Modbus: those of one profile share its plan, of one unit its health."""

from collections.abc import Iterable, Sequence
from random import Random

from collectors.config import ModbusBinding
from collectors.harvest import Harvest
from collectors.lessons import Lessons
from collectors.modbus.device import DeviceReader
from collectors.modbus.layout import GroupPlan, group_plans
from collectors.modbus.unit import Patience, Unit
from collectors.schedule import Grid
from facility.clock import Clock
from facility.durations import Durations


class ReaderFactory:
    """Makes readers that share what they can with each other, and with those there are."""

    def __init__(
        self,
        *,
        clock: Clock,
        grid: Grid,
        harvest: Harvest,
        lessons: Lessons,
        random: Random,
        lateness: Durations,
        patience: Patience,
        beside: Iterable[DeviceReader] = (),
    ) -> None:
        self._clock = clock
        self._grid = grid
        self._harvest = harvest
        self._lessons = lessons
        self._random = random
        self._lateness = lateness
        self._patience = patience
        self._plans: dict[int, Sequence[GroupPlan]] = {}
        self._units: dict[tuple[str, int], Unit] = {}
        for reader in beside:
            binding = reader.binding
            self._plans[id(binding.profile)] = reader.plans
            self._units[binding.endpoint, binding.unit] = reader.unit

    def make(self, binding: ModbusBinding) -> DeviceReader:
        """A reader of a device that has none yet."""
        profile = binding.profile
        if id(profile) not in self._plans:
            self._plans[id(profile)] = group_plans(profile)
        key = (binding.endpoint, binding.unit)
        if key not in self._units:
            self._units[key] = Unit(binding.unit, binding.period, self._patience, self._random)
        return DeviceReader(
            binding,
            self._plans[id(profile)],
            self._units[key],
            clock=self._clock,
            grid=self._grid,
            harvest=self._harvest,
            lessons=self._lessons,
            lateness=self._lateness,
            random=self._random,
        )
