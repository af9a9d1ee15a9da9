"""How busy an endpoint is."""

import math

_WINDOW = 10.0


class BusTime:
    """Utilisation over windows of ten seconds. All times are monotonic."""

    __slots__ = ("_busy", "_utilisation", "_window_began")

    def __init__(self, now: float) -> None:
        self._window_began = now
        self._busy = 0.0
        self._utilisation = math.nan

    def spent(self, now: float, seconds: float) -> None:
        """The bus was busy for so long, up to now."""
        self._busy += seconds
        if now - self._window_began >= _WINDOW:
            self._close_window(now)

    def utilisation(self, now: float) -> float:
        """Busy share of the last full window, or of the present one while it is the first; NaN before."""
        elapsed = now - self._window_began
        if elapsed >= _WINDOW:
            self._close_window(now)
        if math.isnan(self._utilisation):
            return min(1.0, self._busy / elapsed) if elapsed > 0 else math.nan
        return self._utilisation

    def _close_window(self, now: float) -> None:
        self._utilisation = min(1.0, self._busy / (now - self._window_began))
        self._window_began = now
        self._busy = 0.0
