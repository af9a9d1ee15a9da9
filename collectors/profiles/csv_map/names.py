"""Names for the points of a profile, from whatever a map calls its registers."""

import re
import unicodedata

from facility.naming import QUALITY_SUFFIX

_SIGNS = {"%": " pct ", "+": " plus ", "°": " deg ", "µ": "u", "Ω": "ohm"}
_MINUS = re.compile(r"\(\s*[-–−]\s*\)|(?<=\w)[-−](?=\s|$)")
"""A minus that is a sign, as in ``kWh(-)`` and ``P- total``: it parts what is fed back from what is drawn."""
_WORD_ENDS = re.compile(r"(?<=[a-z]{2})(?=[A-Z])|(?<=[A-Z]{2})(?=[A-Z][a-z]{2})")
"""Where a word ends in ``MotorCurrentHI`` and ``DCLinkVoltage``, but not in ``kWh``."""


def point_name(written: str) -> str:
    """A valid name: small letters, digits and ``_``.

    Letters lose their accents, words written together are parted at their capitals, everything else becomes
    ``_``. What begins with a digit gets ``r_`` before it, what ends like a quality field ``_value`` behind.
    """
    text = "".join(_SIGNS.get(letter, letter) for letter in _MINUS.sub(" minus ", written))
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    plain = _WORD_ENDS.sub("_", plain)
    name = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_") or "register"
    if not name[0].isalpha():
        name = f"r_{name}"
    return f"{name}_value" if name.endswith(QUALITY_SUFFIX) else name


class Namer:
    """Gives every register a name of its own: one that is taken gets ``_2``, ``_3`` … behind it."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def name(self, written: str) -> str:
        """The name for a register, taken from now on."""
        base = found = point_name(written)
        number = 2
        while found in self._taken:
            found = f"{base}_{number}"
            number += 1
        self._taken.add(found)
        return found


def profile_name(stem: str) -> str:
    """Name of a profile from that of its file."""
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "imported"
