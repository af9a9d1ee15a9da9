"""Lines as InfluxDB's line protocol reference asks for them."""

import math
from dataclasses import replace

import numpy as np
import pytest

from facility.catalogue import Catalogue, Field, Group
from ingest.batch import decode, encode, gather
from ingest.line_protocol import LineEncoder
from tests.ingest.plant import GRID, K1_PDU, K2_PDU, NOON, SECOND, catalogue, sample

GRID_HEAD = "utility_meter,campus=campus,device=grid"
PDU_TAGS = "building=b1,campus=campus,device=k1-pdu-a,feed=A,hall=h1,rack=k1"


def lines(*samples: object, of: Catalogue | None = None) -> list[str]:
    encoder = LineEncoder(of or catalogue())
    batch = gather(samples, NOON)  # type: ignore[arg-type]
    return [piece.body.decode() for piece in encoder.encode(batch)]


def test_a_good_sample_is_one_line() -> None:
    assert lines(sample(K1_PDU, NOON, [7200.5, 1e6, 50.0])) == [
        f"rack_pdu,{PDU_TAGS} active_power=7200.5,active_energy=1000000.0,frequency=50.0 {NOON}\n"
    ]


def test_a_point_without_value_leaves_its_quality_only() -> None:
    assert lines(sample(K1_PDU, NOON, [math.nan, 1e6, math.nan], [16, 192, 24])) == [
        f"rack_pdu,{PDU_TAGS} active_power_q=16i,active_energy=1000000.0,frequency_q=24i {NOON}\n"
    ]


def test_an_uncertain_value_is_written_with_its_quality() -> None:
    assert lines(sample(GRID, NOON, [5.0, 6.0], [64, 216])) == [
        f"{GRID_HEAD} active_power=5.0,active_power_q=64i,active_energy=6.0 {NOON}\n"
    ]


def test_no_number_that_is_none_is_ever_written_and_an_empty_line_is_left_out() -> None:
    assert lines(sample(GRID, NOON, [math.nan, math.inf], 192)) == []


def test_a_part_of_a_group_names_its_own_fields() -> None:
    assert lines(sample(K1_PDU + 1, NOON, [6.0])) == [f"rack_pdu,{PDU_TAGS} active_energy=6.0 {NOON}\n"]


def test_a_sample_over_several_groups_is_a_line_each() -> None:
    other = PDU_TAGS.replace("k1", "k2")
    whole = sample(K1_PDU + 2, NOON + SECOND, [50.0, 1.0, 2.0, 49.0])
    assert lines(whole) == [
        f"rack_pdu,{PDU_TAGS} frequency=50.0 {NOON + SECOND}\n",
        f"rack_pdu,{other} active_power=1.0,active_energy=2.0,frequency=49.0 {NOON + SECOND}\n",
    ]
    assert K2_PDU == K1_PDU + 3


def test_rollups_carry_node_and_level() -> None:
    first = catalogue().group("k1").first
    tags = "building=b1,campus=campus,hall=h1,level=rack,node=k1,rack=k1"
    assert lines(sample(first, NOON, [7200.0, 1.0, 0.5])) == [
        f"rollup,{tags} power=7200.0,power_coverage=1.0,power_age=0.5 {NOON}\n"
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (1 / 3, "0.3333333333333333"),
        (1e22, "1e+22"),
        (-0.0, "-0.0"),
        (2.5e-7, "2.5e-7"),
        (123456789012.25, "123456789012.25"),
        (5.0, "5.0"),
        (1e-5, "0.00001"),
        (1.5e15, "1500000000000000.0"),
        (1e16, "1e+16"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
    ],
)
def test_numbers_keep_every_digit(value: float, text: str) -> None:
    assert f" active_power={text},active_energy={text} " in lines(sample(GRID, NOON, [value, value]))[0]


def test_special_characters_are_escaped() -> None:
    strange = Group(
        "x", "rack pdu,1", (("de=vice", "a b,c=d"),), (Field("load %", "%"), Field("a=b", "1")), 0
    )
    made = Catalogue((strange,), 1)
    assert lines(sample(0, 1, [1.0, 2.0]), of=made) == [
        "rack\\ pdu\\,1,de\\=vice=a\\ b\\,c\\=d load\\ %=1.0,a\\=b=2.0 1\n"
    ]
    assert lines(sample(0, 1, [1.0, 2.0], 64), of=made) == [
        "rack\\ pdu\\,1,de\\=vice=a\\ b\\,c\\=d load\\ %=1.0,load\\ %_q=64i,a\\=b=2.0,a\\=b_q=64i 1\n"
    ]


def test_a_batch_read_back_and_one_with_gaps_are_written_alike() -> None:
    """What the journal gives back cannot be changed, and a part of an array need not lie end to end."""
    made = gather(
        [sample(GRID, NOON, [1.5, 2.5]), sample(K1_PDU, NOON, [3.5, math.nan, 4.5], [192, 24, 192])], 1
    )
    apart = replace(made, values=np.repeat(made.values, 2)[::2], quality=np.repeat(made.quality, 2)[::2])
    for each in (made, apart, decode(encode(made))):
        assert [piece.body.decode() for piece in LineEncoder(catalogue()).encode(each)] == [
            f"{GRID_HEAD} active_power=1.5,active_energy=2.5 {NOON}\n",
            f"rack_pdu,{PDU_TAGS} active_power=3.5,active_energy_q=24i,frequency=4.5 {NOON}\n",
        ]


def test_an_empty_batch_has_no_lines() -> None:
    assert lines() == []


def test_each_line_counts_its_readings() -> None:
    batch = gather([sample(GRID, NOON, [1.0, 2.0]), sample(K1_PDU, NOON, [1.0, 2.0, 3.0])], NOON)
    assert [piece.points for piece in LineEncoder(catalogue()).encode(batch)] == [2, 3]
