"""A hall of steady loads, read as often as a test wants."""

from facility.sample import NANOSECONDS
from tests.facility.plant import START, Bench


class Hall(Bench):
    """Steady loads whose counters count exactly: 280 kW of IT, 350 kW at the input."""

    def meters(self):
        return [d.id for d in self.site.devices if d.kind in {"utility_meter", "rack_pdu"}]

    def run(self, first, last, *, step=10, facility=350e3, silent=()):
        for second in range(first, last + 1, step):
            now = START + second * NANOSECONDS
            for feed in "ab":
                if f"utility-{feed}" not in silent:
                    self.read(
                        f"utility-{feed}",
                        now,
                        active_power=facility / 2,
                        active_energy=1e6 + facility / 2 * second / 3600,
                    )
                for rack in ("k1", "k2", "k3", "k4"):
                    pdu = f"{rack}-pdu-{feed}"
                    if pdu not in silent and pdu in self.site.device_index:
                        self.read(pdu, now, active_power=35e3, active_energy=5e5 + 35e3 * second / 3600)
            self.tick(now)
