"""The guide and the examples say what the program does."""

import re
from pathlib import Path

import pytest

from dcops.site_file import load
from dcops.site_file.items import (
    AlertmanagerItem,
    DeviceItem,
    HistoryItem,
    InfluxItem,
    InfluxV1Item,
    Item,
    JournalItem,
    MqttItem,
    SiteItem,
    SpaceItem,
    StoringItem,
    VictoriaItem,
    WebhookItem,
)
from dcops.site_file.modbus_items import MODBUS_ITEMS
from dcops.site_file.shapes import keys_of
from facility.devices import Boundary, DeviceKind

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "site.md").read_text(encoding="utf-8")
SITES = [each for each in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL) if each.startswith("dcops: 1")]


@pytest.mark.parametrize("at", range(len(SITES)))
def test_sites_in_the_guide_are_good(at: int, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(SITES[at], encoding="utf-8")

    assert load(tmp_path).site.devices


def test_what_the_guide_stores_by_exception_is_good(tmp_path: Path) -> None:
    (example,) = [each for each in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL) if "storing:" in each]
    (tmp_path / "site.yaml").write_text(SITES[0] + example, encoding="utf-8")

    assert len(load(tmp_path).storing) == 4


@pytest.mark.parametrize(
    "model",
    [
        SiteItem,
        SpaceItem,
        HistoryItem,
        *MODBUS_ITEMS.values(),
        MqttItem,
        DeviceItem,
        InfluxItem,
        InfluxV1Item,
        JournalItem,
        StoringItem,
        VictoriaItem,
        AlertmanagerItem,
        WebhookItem,
    ],
)
def test_the_guide_explains_every_key(model: type[Item]) -> None:
    words = set(re.findall(r"`([a-z_]+)[`:]", GUIDE))

    assert keys_of(model) - {"kind", "dcops"} <= words
    assert {str(each) for each in (*DeviceKind, *Boundary)} <= words


@pytest.mark.parametrize(("name", "devices"), [("small", 10), ("hall", 34)])
def test_examples_are_good_and_whole(name: str, devices: int) -> None:
    loaded = load(ROOT / "examples" / name)

    assert loaded.warnings == ()
    assert len(loaded.site.devices) == devices
