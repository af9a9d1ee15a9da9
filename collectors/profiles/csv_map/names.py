"""Names for the points of a profile, from whatever a map calls its registers."""

import re
import unicodedata

from facility.naming import QUALITY_SUFFIX

_SIGNS = {"%": " pct ", "+": " plus ", "°": " deg ", "µ": "u", "Ω": "ohm"}


def point_name(written: str) -> str:
    """A valid name: small letters, digits and ``_``.

    Letters lose their accents, everything else becomes ``_``; what begins with a digit gets ``r_`` before it,
    what ends like a quality field gets ``_value`` behind it.
    """
    text = "".join(_SIGNS.get(letter, letter) for letter in written)
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
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
