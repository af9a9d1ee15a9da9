"""Devices are rendered in blocks: each shows its own values, and only when it is asked after a change."""

import struct
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from dcops import site_file
from simulators.clock import ManualClock
from simulators.readings import Readings
from simulators.sitegen import PRESETS, generate, write_site
from simulators.wire.images import Layout, Span, blocks
from tests.simulators.sites import WINTER


class Numbers:
    """Every point shows its index."""

    def __init__(self, count: int, devices: int) -> None:
        self.values: NDArray[np.float64] = np.arange(count, dtype=np.float64)
        self.silent: NDArray[np.bool_] = np.zeros(devices, dtype=np.bool_)

    def advance(self, now: int) -> bool:
        return now < 0


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> site_file.LoadedSite:
    folder = tmp_path_factory.mktemp("row")
    write_site(generate(replace(PRESETS["campus-1k"], racks=80)), folder)
    return site_file.load(folder)


def test_each_of_160_devices_shows_its_own_values(loaded: site_file.LoadedSite) -> None:
    site = loaded.site
    readings = Readings(site, Numbers(site.point_count, len(site.devices)), ManualClock(WINTER))
    pdus = [each for each in loaded.plan.modbus if each.profile.name == "rack-pdu-36-outlets"]
    layout = Layout(pdus[0].profile)
    rendered = blocks(layout, (each.first for each in pdus), readings)

    assert (len(pdus), len(rendered)) == (160, 2)
    for at in (0, 1, 127, 128, 159):
        image = rendered[at // 128].sheets[0].image(at % 128)
        assert struct.unpack(">f", image.data[:4])[0] == pdus[at].first
        outlets = rendered[at // 128].sheets[1].image(at % 128)
        assert len(outlets.data) == 144


def test_nothing_is_rendered_again_until_something_changed(loaded: site_file.LoadedSite) -> None:
    site = loaded.site
    readings = Readings(site, Numbers(site.point_count, len(site.devices)), ManualClock(WINTER))
    first = loaded.plan.modbus[0]
    (block,) = blocks(Layout(first.profile), [first.first], readings)

    before = block.sheets
    assert block.sheets is before
    readings.force(first.first, 5.0)
    assert block.sheets is not before


def test_a_read_of_registers_is_a_span_and_anything_else_is_none(loaded: site_file.LoadedSite) -> None:
    pdu = next(each for each in loaded.plan.modbus if each.profile.name == "rack-pdu-36-outlets")
    layout = Layout(pdu.profile)

    def span(function: int, address: int, count: int) -> Span | None:
        return layout.span(struct.pack(">BHH", function, address, count))

    assert span(3, 1000, 72) == Span(1, 0, 144, b"\x03\x90", b"\x00\x93")
    assert span(3, 1071, 1) == Span(1, 142, 2, b"\x03\x02", b"\x00\x05")
    assert span(3, 1071, 2) is None
    assert span(4, 1000, 72) is None
    assert span(1, 0, 1) is None
    assert span(3, 0, 0) is None
    assert span(6, 0, 1) is None
