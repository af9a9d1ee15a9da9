"""The plant works on the sites the generator writes, as the platform loads them."""

from pathlib import Path

import numpy as np
import pytest

from dcops import site_file
from facility.devices import DeviceKind, Feed
from facility.sample import NANOSECONDS
from facility.site import Site
from simulators.errors import ScenarioError
from simulators.plant import Plant
from simulators.scenario import load_scenario, shipped_scenarios
from simulators.scenario_steps import Wires
from simulators.sitegen import PRESETS, SiteShape, generate, write_site
from tests.simulators.sites import WINTER


def load(shape: SiteShape, folder: Path) -> site_file.LoadedSite:
    write_site(generate(shape), folder)
    return site_file.load(folder)


def pdu_power(plant: Plant, site: Site, feed: Feed) -> float:
    return sum(
        float(plant.values[site.point_index(device.id, "active_power")])
        for device in site.devices
        if device.kind is DeviceKind.RACK_PDU and device.feed is feed
    )


@pytest.mark.parametrize(
    "shape",
    [PRESETS["demo"], SiteShape(buildings=2, halls=2, rows=1, racks=2, rack_kw=20.0)],
    ids=["demo", "small"],
)
def test_values_are_possible_and_the_books_plausible(shape: SiteShape, tmp_path: Path) -> None:
    site = load(shape, tmp_path / "site").site
    plant = Plant(site, 1, WINTER)
    plant.advance(WINTER + 1800 * NANOSECONDS)
    low = np.array([point.type.low for device in site.devices for point in device.points])
    high = np.array([point.type.high for device in site.devices for point in device.points])
    assert bool(((plant.values >= low) & (plant.values <= high)).all())
    books = plant.ledger(site.campus.id)
    assert 1.05 < books.facility / books.it_rack < 1.5
    assert books.it_rack < books.it_pdu < books.it_ups
    assert books.heat_reused > 0
    assert books.water > 0


def test_losing_feed_a_moves_its_load(tmp_path: Path) -> None:
    site = load(PRESETS["demo"], tmp_path / "site").site
    plant = Plant(site, 1, WINTER)
    plant.force_load(site.campus.id, 0.6)
    plant.advance(WINTER + 60 * NANOSECONDS)
    before = plant.true_power(site.campus.id)
    plant.lose_distribution(Feed.A, site.campus.id)
    plant.advance(WINTER + 70 * NANOSECONDS)
    assert pdu_power(plant, site, Feed.A) == 0.0
    assert pdu_power(plant, site, Feed.B) == pytest.approx(before, rel=0.02)


def test_a_fault_that_a_generated_site_cannot_have_is_told_with_its_line(tmp_path: Path) -> None:
    loaded = load(PRESETS["demo"], tmp_path / "site")
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "dcops_scenario: 1\nsteps:\n  - {at: 1s, do: refuse, kind: environment_sensor, share: 10%}\n"
        f"  - {{at: 1s, do: gateway_down, endpoint: {loaded.plan.brokers[0].id}}}\n"
    )
    with pytest.raises(ScenarioError) as caught:
        load_scenario(str(mine), loaded.site, Wires.of(loaded.plan))
    first, second = caught.value.problems
    assert first.startswith(f"{mine}:3: ")
    assert "nobody reads what publishes over MQTT; leave" in first
    assert second.startswith(f"{mine}:4: {loaded.plan.brokers[0].id} is a broker, which no scenario stops")


def test_every_shipped_scenario_fits_a_generated_site(tmp_path: Path) -> None:
    loaded = load(PRESETS["demo"], tmp_path / "site")
    for name in shipped_scenarios():
        assert load_scenario(name, loaded.site, Wires.of(loaded.plan)).steps
