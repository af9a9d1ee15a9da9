"""What ``dcops record`` is to record: one pair of addresses, or the Modbus endpoints of a site."""

import difflib
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from collectors.config import CollectionPlan, ModbusEndpoint, host_and_port
from dcops.errors import DcopsError
from simulators.frames.recording import FRAMINGS

SUFFIX = ".frames"
_MOST_SHOWN = 8


class NothingToRecordError(DcopsError):
    """There is no endpoint that could be recorded."""


class RecordingExistsError(DcopsError):
    """A file would be overwritten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingJob:
    """One file of frames."""

    path: Path
    listen: tuple[str, int]
    """Where the collector connects."""
    target: tuple[str, int]
    """Where the devices are."""
    protocol: str
    """A key of ``FRAMINGS``."""
    endpoint: str = ""
    """Id in the site; empty if there is none."""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return self.endpoint or host_and_port(*self.target)


def jobs_of(plan: CollectionPlan, chosen: Sequence[str], folder: Path) -> list[RecordingJob]:
    """A job for each Modbus endpoint of a plan, or for those that are chosen.

    Raises:
        NothingToRecordError: an endpoint is not there, or none can be recorded.
    """
    known = {endpoint.id: endpoint for endpoint in plan.endpoints}
    for name in chosen:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            mend = f"did you mean {near[0]!r}?" if near else f"there are {_listed(list(known))}"
            raise NothingToRecordError(f"there is no Modbus endpoint {name!r} in the site; {mend}")
    jobs = list(_jobs([known[name] for name in chosen] or plan.endpoints, folder))
    if not jobs:
        raise NothingToRecordError(f"no endpoint of the site speaks {' or '.join(FRAMINGS)}")
    return jobs


def through_proxies(plan: CollectionPlan, ports: dict[str, tuple[str, int]]) -> CollectionPlan:
    """The plan with the endpoints at other addresses, by id; whatever is not among them is left out."""
    endpoints = tuple(
        replace(endpoint, host=ports[endpoint.id][0], port=ports[endpoint.id][1])
        for endpoint in plan.endpoints
        if endpoint.id in ports
    )
    modbus = tuple(binding for binding in plan.modbus if binding.endpoint in ports)
    return CollectionPlan(endpoints=endpoints, modbus=modbus)


def refuse_overwriting(jobs: Iterable[RecordingJob]) -> None:
    """Raises RecordingExistsError if a file of a job is there already."""
    for job in jobs:
        if job.path.exists():
            raise RecordingExistsError(
                f"{job.path}: there is a file already; give another --output, or --force"
            )


def _jobs(endpoints: Iterable[ModbusEndpoint], folder: Path) -> Iterator[RecordingJob]:
    for endpoint in endpoints:
        protocol = endpoint.protocol.value
        if protocol in FRAMINGS:
            yield RecordingJob(
                path=folder / f"{endpoint.id}{SUFFIX}",
                listen=("127.0.0.1", 0),
                target=(endpoint.host, endpoint.port),
                protocol=protocol,
                endpoint=endpoint.id,
            )
        else:
            print(f"endpoint {endpoint.id}: {protocol} cannot be recorded; it is left out", file=sys.stderr)


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_MOST_SHOWN])
    return f"{shown} and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else shown or "none"
