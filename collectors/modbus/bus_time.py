"""How an endpoint's time is spent: how busy it is, and how much of it doubtful units may take."""

import math

_WINDOW = 10.0
_SMOOTHING = 0.125


class BusTime:
    """Utilisation over windows of ten seconds, and the smoothed round trip. All times are monotonic."""

    __slots__ = ("_busy", "_utilisation", "_window_began", "round_trip")

    def __init__(self, now: float) -> None:
        self.round_trip = math.nan
        self._window_began = now
        self._busy = 0.0
        self._utilisation = math.nan

    def spent(self, now: float, seconds: float) -> None:
        """The bus was busy for so long, up to now."""
        self._busy += seconds
        if now - self._window_began >= _WINDOW:
            self._close_window(now)

    def answered(self, seconds: float) -> None:
        """A reply came so long after its request."""
        if math.isnan(self.round_trip):
            self.round_trip = seconds
        else:
            self.round_trip += _SMOOTHING * (seconds - self.round_trip)

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


class DoubtBudget:
    """Keeps what doubtful units cost within a share of the time, so that neighbours keep the rest."""

    __slots__ = ("_rest", "ready_at")

    def __init__(self, share: float = 0.2) -> None:
        self.ready_at = -math.inf
        """From when on a doubtful unit may be asked again, in monotonic time."""
        self._rest = 1 / share - 1

    def spent(self, now: float, seconds: float) -> None:
        """A doubtful unit took so long, up to now, and did not answer."""
        self.ready_at = now + seconds * self._rest
