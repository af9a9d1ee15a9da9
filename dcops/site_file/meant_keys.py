"""Which key of a site was meant by one that is unknown: what others call it, else what is most similar."""

from collections.abc import Collection, Iterable

from dcops.site_file.problems import most_similar

_PLACES = ("space", "location", "room", "parent", "place", "zone", "area", "hall", "row", "rack", "within")
_UNITS = ("slave", "slave_id", "slave_address", "unit_id", "node", "node_id", "station", "modbus_id")

_MEANT: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_PLACES, ("in",)),
    **dict.fromkeys(_UNITS, ("unit",)),
    **dict.fromkeys(("type", "class"), ("kind", "protocol", "level")),
    **dict.fromkeys(("ip", "ip_address", "hostname", "server"), ("host", "url", "endpoint")),
    **dict.fromkeys(("gateway", "bus", "line", "connection", "broker"), ("endpoint", "endpoints")),
    **dict.fromkeys(("gateways", "connections", "brokers"), ("endpoints",)),
    **dict.fromkeys(("interval", "poll", "poll_interval", "scan_interval", "cycle"), ("period",)),
    **dict.fromkeys(("model", "template", "register_map"), ("profile",)),
    **dict.fromkeys(("supplies", "powers", "downstream"), ("serves",)),
    **dict.fromkeys(("label", "title", "description"), ("name",)),
    **dict.fromkeys(("rating", "rated_power", "power_kw", "kw"), ("rated_kw",)),
    **dict.fromkeys(("rated_current", "current_a", "amps"), ("rated_a",)),
    **dict.fromkeys(("baudrate", "baud_rate", "speed"), ("baud",)),
    **dict.fromkeys(("max_size", "size"), ("max_bytes", "size_gb")),
    **dict.fromkeys(("locations", "rooms", "racks"), ("spaces",)),
    **dict.fromkeys(("equipment", "meters"), ("devices",)),
    **dict.fromkeys(("notifiers", "notifications"), ("notify",)),
    "address": ("host", "url", "unit"),
    "host": ("url", "endpoint"),
    "port": ("device",),
    "kind": ("protocol", "level"),
    "id": ("name",),
    "user": ("username",),
    "ca": ("tls_ca",),
    "tz": ("timezone",),
}
"""What others call a key. Of several that of the item at hand is meant."""


def meant_key(key: str, known: Collection[str]) -> str:
    """The key of an item that has the known ones which was meant by another; empty if nobody can tell."""
    word = _plain(key)
    if word in known:
        return word
    named = next((each for each in _MEANT.get(word, ()) if each in known), "")
    return named or most_similar(key.lower(), known)


def key_hint(key: str, known: Collection[str], written: Iterable[str] = ()) -> str:
    """What to do about a key that an item does not have, beside those that are written in it."""
    meant = meant_key(key, known)
    if not meant:
        return f"keys are {', '.join(known)}"
    others = set(written) - {key}
    return f"{meant!r} is there already; keep one" if meant in others else f"did you mean {meant!r}?"


def written_for(key: str, known: Collection[str], written: Iterable[str]) -> str:
    """Which of the keys that are written in an item, and that it does not have, stands for this one."""
    return next((each for each in written if each not in known and meant_key(each, known) == key), "")


def _plain(key: str) -> str:
    return key.lower().replace("-", "_").replace(" ", "_")
