"""A generated site as files: ``site.yaml`` and three tables."""

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from simulators.sitegen.rows import DeviceRow, EndpointRow, GeneratedSite, SpaceRow

Progress = Callable[[str, int], None]
"""Told after each file: its name, and how many items it holds."""

_SPACE_COLUMNS = ("id", "level", "in", "name", "rated_kw", "position")
_ENDPOINT_COLUMNS = ("id", "protocol", "host", "port")
_DEVICE_COLUMNS = (
    "id",
    "kind",
    "in",
    "profile",
    "endpoint",
    "unit",
    "feed",
    "serves",
    "boundary",
    "rated_kw",
    "rated_a",
)
_HEAD = """\
# A generated site; its spaces, endpoints and devices are in the tables beside this file.
dcops: 1
name: {name}
timezone: {timezone}
collection: {{period: {period}}}
"""
_PROFILES = "profiles"


def write_site(site: GeneratedSite, folder: Path, progress: Progress | None = None) -> None:
    """Write the files of a site; those of the same name are replaced.

    Raises:
        OSError: the folder or a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = json.dumps(site.name, ensure_ascii=False)  # of JSON's escapes YAML has no pairs of surrogates
    head = _HEAD.format(name=name, timezone=site.timezone, period=site.period)
    if site.profiles:
        head += f"profiles: [{_PROFILES}/]\n"
        (folder / _PROFILES).mkdir(exist_ok=True)
    for profile in site.profiles:
        (folder / _PROFILES / f"{profile.name}.yaml").write_text(profile.text, encoding="utf-8")
    (folder / "site.yaml").write_text(head, encoding="utf-8")
    _write(folder / "spaces.csv", _SPACE_COLUMNS, map(_space_cells, site.spaces), progress)
    _write(folder / "endpoints.csv", _ENDPOINT_COLUMNS, map(_endpoint_cells, site.endpoints), progress)
    _write(folder / "devices.csv", _DEVICE_COLUMNS, map(_device_cells, site.devices), progress)


def _write(
    path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]], progress: Progress | None
) -> None:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow(row)
            count += 1
    if progress is not None:
        progress(path.name, count)


def _space_cells(row: SpaceRow) -> tuple[str, ...]:
    return (row.id, row.level, row.parent, row.name, _number(row.rated_kw), _number(row.position))


def _endpoint_cells(row: EndpointRow) -> tuple[str, ...]:
    return (row.id, row.protocol, row.host, str(row.port))


def _device_cells(row: DeviceRow) -> tuple[str, ...]:
    return (
        row.id,
        row.kind,
        row.space,
        row.profile,
        row.endpoint,
        _number(row.unit),
        row.feed or "",
        " ".join(row.serves),
        row.boundary or "",
        _number(row.rated_kw),
        _number(row.rated_a),
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"
