"""What Prometheus is told, when several ask."""

from collections.abc import Iterator
from types import SimpleNamespace

from prometheus_client import CollectorRegistry

from dcops.cpu_stages import CpuStages
from dcops.endpoint_metrics import EndpointExposition
from dcops.metrics import CollectionMetrics
from dcops.scrape import Scrape
from tests.console.plant import FakeCollection


class Site:
    """The part of the text that is the site's: how often it was asked for, and what for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, frozenset[str] | None]] = []

    def pieces(self, image: object, now: int, levels: frozenset[str] | None) -> Iterator[bytes]:
        self.asked.append((now, levels))
        yield f"dcops_asked {len(self.asked)}\n".encode()
        yield b"dcops_more 1\n"


def scrape(site: Site) -> Scrape:
    collection, registry = FakeCollection(), CollectorRegistry()
    registry.register(CollectionMetrics(collection))
    return Scrape(
        live=SimpleNamespace(exposition=site, points=None, image=None),  # type: ignore[arg-type]
        endpoints=EndpointExposition(collection),
        pipeline=registry,
        clock=SimpleNamespace(now=lambda: 7),  # type: ignore[arg-type]
        cpu=CpuStages(),
    )


def test_the_site_comes_first_then_endpoints_then_the_pipeline() -> None:
    lines = b"".join(scrape(Site()).overview()).decode().splitlines()
    told = [line for line in lines if not line.startswith("#")]
    assert told[:3] == ["dcops_asked 1", "dcops_more 1", 'dcops_endpoint_up{endpoint="gw-1"} 1.0']
    assert told[-1] == "dcops_identity_changes_total 0.0"


def test_two_that_ask_at_once_are_told_the_same_and_others_anew() -> None:
    site = Site()
    text = scrape(site)
    one, other = text.overview(), text.overview()
    assert next(one) == next(other) == b"dcops_asked 1\n"
    racks = text.overview(frozenset({"rack"}))
    assert next(racks) == b"dcops_asked 2\n"
    assert b"".join(one) == b"".join(other)
    assert next(text.overview()) == b"dcops_asked 3\n"
    assert site.asked == [(7, None), (7, frozenset({"rack"})), (7, None)]
