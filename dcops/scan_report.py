"""What a scan has found, for people, for programs and for a site file."""

import re
from collections.abc import Iterable, Iterator, Sequence

from collectors.commissioning.scanning import HostFound, UnitFound
from collectors.config import ModbusEndpoint, ModbusProtocol, host_and_port
from dcops.tables import table

_SHOWN_MATCHES = 3
_WORTH_SHOWING = 10
"""Score from which on a profile is shown beside the best."""
_MOST_NAMED = 16
_CLOSE = 10
"""Other profiles whose score is nearly as high are named beside the best."""
_SURE = 25
"""Score from which on a profile is put into the site lines."""


def report(hosts: Sequence[HostFound]) -> Iterator[str]:
    """Table of units, then what is to be said of addresses."""
    rows = [row for host in hosts for unit in host.units for row in _rows(host, unit)]
    if rows:
        head = ("address", "unit", "ms", "identification", "score", "profile", "because")
        yield from table(head, rows, right=frozenset({1, 2, 4}))
    for host in hosts:
        if host.note:
            yield f"{_place(host)}: {host.note}"
        if host.error:
            yield f"{_place(host)}: {host.error}"


def without_units(hosts: Iterable[HostFound]) -> Iterator[str]:
    """Why addresses answer to no unit: a line for each, or for each reason where there are many."""
    places: dict[str, list[str]] = {}
    for host in hosts:
        if not host.units:
            places.setdefault(_why_silent(host), []).append(_place(host))
    for reason, found in places.items():
        if len(found) > _MOST_NAMED:
            yield f"{found[0]} and {len(found) - 1} other addresses: {reason}"
        else:
            yield from (f"{place}: {reason}" for place in found)


def _why_silent(host: HostFound) -> str:
    if host.error:
        return host.error
    if not host.asked:
        return "not asked"
    return f"connects, but no unit of {host.asked} answers; check unit numbers, serial settings and --timeout"


def as_json(host: HostFound) -> dict[str, object]:
    """One address with all that was found there."""
    return {
        "host": host.host,
        "port": host.port,
        "error": host.error,
        "note": host.note,
        "units_asked": host.asked,
        "requests": host.requests,
        "units": [_unit_json(unit) for unit in host.units],
    }


def site_lines(hosts: Iterable[tuple[HostFound, ModbusEndpoint]]) -> Iterator[str]:
    """What is found as entries of a site file, to be pasted; places must be filled in by hand."""
    found = [(host, endpoint) for host, endpoint in hosts if host.units]
    if not found:
        return
    yield "endpoints:"
    for host, endpoint in found:
        yield f"  - {{id: {_id(host)}, {_endpoint_keys(endpoint)}}}"
    yield "devices:"
    for host, _ in found:
        for unit in host.units:
            yield f"  {_device_line(host, unit)}"


def _rows(host: HostFound, unit: UnitFound) -> Iterator[tuple[str, ...]]:
    place = (_place(host), str(unit.unit), f"{unit.seconds * 1000:.1f}")
    if unit.examined is None:
        yield (*place, f"answers: {unit.answer}", "", "", "not examined")
        return
    said = " ".join(filter(None, unit.examined.identification.values())) or f"answers: {unit.answer}"
    if not unit.examined.matches:
        yield (*place, said, "", "none fits", "")
        return
    for at, match in enumerate(unit.examined.matches[:_SHOWN_MATCHES]):
        if at and match.score < _WORTH_SHOWING:
            break
        start = (*place, said) if at == 0 else ("", "", "", "")
        yield (*start, str(match.score), match.profile.name, "; ".join(match.reasons))


def _unit_json(unit: UnitFound) -> dict[str, object]:
    examined = unit.examined
    return {
        "unit": unit.unit,
        "milliseconds": round(unit.seconds * 1000, 1),
        "answer": unit.answer,
        "examined": examined is not None,
        "complete": examined is not None and examined.complete,
        "identification": dict(examined.identification) if examined is not None else {},
        "matches": [
            {"profile": each.profile.name, "score": each.score, "reasons": list(each.reasons)}
            for each in (examined.matches if examined is not None else ())
        ],
    }


def _device_line(host: HostFound, unit: UnitFound) -> str:
    matches = unit.examined.matches if unit.examined is not None else ()
    if not matches:
        return f"# unit {unit.unit} of {_id(host)} answers ({unit.answer}); no profile fits"
    if matches[0].score < _SURE:
        return f"# unit {unit.unit} of {_id(host)} tells too little; perhaps {matches[0].profile.name}"
    best = matches[0].profile
    line = (
        f"- {{id: {_id(host)}-{unit.unit}, kind: {best.kind}, in: PLACE, profile: {best.name},"
        f" endpoint: {_id(host)}, unit: {unit.unit}}}"
    )
    others = [each.profile.name for each in matches[1:] if each.score > matches[0].score - _CLOSE]
    return f"{line}  # or {', '.join(others)}" if others else line


def _endpoint_keys(endpoint: ModbusEndpoint) -> str:
    keys = [f"protocol: {endpoint.protocol}"]
    if endpoint.protocol is ModbusProtocol.RTU:
        keys += [f"device: {endpoint.device}", f"baud: {endpoint.baud}"]
        keys += [f"parity: {endpoint.parity}", f"stop_bits: {endpoint.stop_bits}"]
    else:
        keys += [f"host: {_quoted(endpoint.host)}", f"port: {endpoint.port}"]
    files = {"tls_ca": endpoint.tls_ca, "tls_cert": endpoint.tls_cert, "tls_key": endpoint.tls_key}
    if endpoint.protocol is ModbusProtocol.TLS:
        keys += [f"{key}: {file.absolute()}" for key, file in files.items() if file is not None]
    return ", ".join([*keys, f"pause: {endpoint.pause * 1000:g}ms"])


def _quoted(host: str) -> str:
    return f'"{host}"' if ":" in host else host


def _place(host: HostFound) -> str:
    return host_and_port(host.host, host.port) if host.port else host.host


def _id(host: HostFound) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", f"{host.host}".lower()).strip("-")
    return f"modbus-{words}" if host.port in {0, 502} else f"modbus-{words}-{host.port}"
