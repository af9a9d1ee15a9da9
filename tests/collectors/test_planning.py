"""The exact block reads of a profile."""

from dataclasses import replace

from collectors.planning import (
    Block,
    Group,
    cheapest_read,
    plan_blocks,
    plan_groups,
    plan_texts,
    split_block,
)
from collectors.profiles import (
    DataType,
    ModbusProfile,
    Reference,
    Register,
    Span,
    Sum,
    Table,
    TextRegister,
    Use,
)
from collectors.profiles.reader import shipped
from facility.devices import DeviceKind, PointSpec
from facility.point_types import POINT_TYPES


def profile_of(
    spans: list[tuple[Table, int, DataType]], max_registers: int = 125, max_gap: int = 0
) -> ModbusProfile:
    return ModbusProfile(
        name="test",
        kind=DeviceKind.BOARD_METER,
        points=tuple(PointSpec(f"p{at}", POINT_TYPES["generic"]) for at in range(len(spans))),
        sources=tuple(
            Register(table=table, address=address, data=data, bit=0 if data is DataType.BIT else None)
            for table, address, data in spans
        ),
        max_registers=max_registers,
        max_gap=max_gap,
    )


H, D = Table.HOLDING, Table.DISCRETE


def test_neighbours_are_joined_whatever_the_order_of_points() -> None:
    profile = profile_of([(H, 2, DataType.F32), (H, 0, DataType.U32), (H, 4, DataType.U16)])
    assert plan_blocks(profile) == (Block(H, 0, 5, (1, 0, 2)),)


def test_a_gap_is_read_across_up_to_the_limit_and_not_beyond() -> None:
    spans = [(H, 0, DataType.U16), (H, 3, DataType.U16), (H, 7, DataType.U16)]
    assert plan_blocks(profile_of(spans, max_gap=2)) == (Block(H, 0, 4, (0, 1)), Block(H, 7, 1, (2,)))
    assert plan_blocks(profile_of(spans, max_gap=3)) == (Block(H, 0, 8, (0, 1, 2)),)


def test_a_block_ends_before_a_value_that_would_be_torn() -> None:
    spans = [(H, 0, DataType.F32), (H, 2, DataType.U16), (H, 3, DataType.F32)]
    assert plan_blocks(profile_of(spans, max_registers=4)) == (Block(H, 0, 3, (0, 1)), Block(H, 3, 2, (2,)))


def test_a_read_never_exceeds_125_registers() -> None:
    blocks = plan_blocks(profile_of([(H, 2 * at, DataType.F32) for at in range(100)]))
    assert [(block.address, block.count) for block in blocks] == [(0, 124), (124, 76)]


def test_tables_are_read_apart() -> None:
    profile = profile_of([(H, 0, DataType.U16), (Table.INPUT, 0, DataType.U16), (D, 0, DataType.BIT)])
    assert [(block.table, block.points) for block in plan_blocks(profile)] == [
        (D, (2,)),
        (H, (0,)),
        (Table.INPUT, (1,)),
    ]


def test_bits_are_joined_up_to_2000() -> None:
    blocks = plan_blocks(profile_of([(D, at, DataType.BIT) for at in range(2001)]))
    assert [(block.address, block.count, block.payload_length) for block in blocks] == [
        (0, 2000, 250),
        (2000, 1, 1),
    ]


def test_bits_of_one_register_share_one_read() -> None:
    profile = profile_of([(H, 8, DataType.BIT), (H, 8, DataType.BIT)])
    assert plan_blocks(profile) == (Block(H, 8, 1, (0, 1)),)


def test_a_split_leaves_the_gap_between_the_halves_out() -> None:
    profile = profile_of([(H, 0, DataType.F32), (H, 5, DataType.F32)], max_gap=3)
    (block,) = plan_blocks(profile)
    assert split_block(profile, block) == (Block(H, 0, 2, (0,)), Block(H, 5, 2, (1,)))


def test_a_single_value_cannot_be_split() -> None:
    profile = profile_of([(H, 8, DataType.BIT), (H, 8, DataType.BIT)])
    (block,) = plan_blocks(profile)
    assert split_block(profile, block) == (block,)


def test_splitting_ends_at_single_values_with_every_point_kept() -> None:
    spans = [(H, 0, DataType.U16), (H, 4, DataType.BIT), (H, 4, DataType.BIT), (H, 6, DataType.F32)]
    profile = profile_of(spans, max_gap=9)
    blocks = list(plan_blocks(profile))
    for _ in range(4):
        blocks = [part for block in blocks for part in split_block(profile, block)]
    assert sorted(blocks, key=lambda each: each.address) == [
        Block(H, 0, 1, (0,)),
        Block(H, 4, 1, (1, 2)),
        Block(H, 6, 2, (3,)),
    ]


def test_forbidden_addresses_are_not_read_across() -> None:
    spans = [(H, 0, DataType.U16), (H, 3, DataType.U16), (H, 6, DataType.U16)]
    profile = profile_of(spans, max_gap=9)
    for first, last in ((1, 1), (2, 2), (1, 2)):
        hole = replace(profile, forbidden=(Span(table=H, first=first, last=last),))
        assert plan_blocks(hole) == (Block(H, 0, 1, (0,)), Block(H, 3, 4, (1, 2)))
    elsewhere = replace(profile, forbidden=(Span(table=Table.INPUT, first=1, last=2),))
    assert plan_blocks(elsewhere) == (Block(H, 0, 7, (0, 1, 2)),)


def test_values_are_read_alone_where_the_device_wants_it() -> None:
    spans = [(H, 59, DataType.F32), (H, 60, DataType.F32), (H, 7, DataType.BIT), (H, 7, DataType.BIT)]
    profile = replace(profile_of([*spans, (H, 60, DataType.U16)], max_gap=9), alone=True)
    assert plan_blocks(profile) == (
        Block(H, 7, 1, (2, 3)),
        Block(H, 59, 2, (0,)),
        Block(H, 60, 1, (4,)),
        Block(H, 60, 2, (1,)),
    )


def test_one_register_a_request() -> None:
    profile = profile_of([(H, at, DataType.U16) for at in range(3)], max_registers=1, max_gap=5)
    assert plan_blocks(profile) == tuple(Block(H, at, 1, (at,)) for at in range(3))


def test_a_part_of_a_long_value_is_read_with_it_and_not_torn_from_it() -> None:
    profile = profile_of([(H, 0, DataType.U32), (H, 1, DataType.BIT), (H, 2, DataType.U16)])
    (block,) = plan_blocks(profile)
    assert block == Block(H, 0, 3, (0, 1, 2))
    assert split_block(profile, block) == (Block(H, 0, 2, (0, 1)), Block(H, 2, 1, (2,)))
    words = profile_of([(H, 0, DataType.U64), (H, 1, DataType.BIT), (H, 2, DataType.BIT)])
    (block,) = plan_blocks(words)
    assert split_block(words, block) == (block,)


def paced() -> ModbusProfile:
    """Three paces; the points at 0 and 2 share a scale register, which the slowest needs as well."""
    profile = profile_of([(H, 0, DataType.S16), (H, 1, DataType.F32), (H, 9, DataType.S16)], max_gap=3)
    scaled = (Reference(use=Use.EXPONENT, source=4),)
    first, second, third = profile.registers
    return replace(
        profile,
        points=tuple(
            replace(point, every=every)
            for point, every in zip((*profile.points, profile.points[0]), (1, 1, 10, 60), strict=True)
        ),
        sources=(
            replace(first, references=scaled),
            second,
            replace(third, references=scaled),
            Sum(sources=(1, 5)),
            Register(table=H, address=4, data=DataType.S16),
            Register(table=Table.INPUT, address=7, data=DataType.U16),
            Register(table=H, address=40, data=DataType.U16),
        ),
    )


def test_each_pace_has_its_blocks_with_what_its_points_refer_to() -> None:
    assert plan_groups(paced()) == (
        Group(1, 0, 2, (Block(H, 0, 5, (0, 1, 4)),)),
        Group(10, 2, 1, (Block(H, 4, 1, (4,)), Block(H, 9, 1, (2,)))),
        Group(60, 3, 1, (Block(H, 1, 2, (1,)), Block(Table.INPUT, 7, 1, (5,)))),
    )


def test_one_scan_of_everything_reads_nothing_twice_and_no_helper_that_nobody_needs() -> None:
    assert plan_blocks(paced()) == (
        Block(H, 0, 5, (0, 1, 4)),
        Block(H, 9, 1, (2,)),
        Block(Table.INPUT, 7, 1, (5,)),
    )


def test_texts_are_read_apart() -> None:
    profile = replace(
        profile_of([(H, 0, DataType.U16)]),
        texts=(
            TextRegister(name="serial", table=H, address=1, length=8),
            TextRegister(name="model", table=Table.INPUT, address=9, length=16),
        ),
    )
    assert plan_blocks(profile) == (Block(H, 0, 1, (0,)),)
    assert plan_texts(profile) == ((Block(H, 1, 8, (0,)),), (Block(Table.INPUT, 9, 16, (1,)),))
    short = replace(profile, max_registers=6)
    assert plan_texts(short) == (
        (Block(H, 1, 6, (0,)), Block(H, 7, 2, (0,))),
        (Block(Table.INPUT, 9, 6, (1,)), Block(Table.INPUT, 15, 6, (1,)), Block(Table.INPUT, 21, 4, (1,))),
    )


def test_the_cheapest_read_is_one_value() -> None:
    profile = profile_of([(H, 2, DataType.F32), (H, 0, DataType.U32)])
    assert cheapest_read(profile, plan_blocks(profile)) == Block(H, 0, 2, (1,))


BLOCKS = {
    "board-meter": [("input", 0, 24)],
    "busway-tap": [("holding", 1000, 12)],
    "cdu": [("holding", 0, 25)],
    "chiller": [("discrete", 0, 2), ("holding", 20, 1), ("input", 0, 14)],
    "cooling-tower": [("discrete", 0, 2), ("input", 0, 7)],
    "crah": [("coil", 0, 1), ("input", 0, 10)],
    "dry-cooler": [("holding", 0, 9)],
    "generator": [("holding", 0, 9)],
    "heat-exchanger": [("input", 0, 14)],
    "heat-meter": [("input", 0, 16)],
    "pump": [("coil", 0, 2), ("holding", 0, 6)],
    "rack-pdu": [("holding", 0, 18)],
    "rpp": [("holding", 0, 10)],
    "ups": [("discrete", 0, 3), ("input", 0, 15)],
    "utility-meter": [("holding", 100, 34)],
    "water-meter": [("holding", 0, 6)],
}


def test_the_blocks_of_the_generic_profiles() -> None:
    profiles = shipped()
    found = {}
    for name in BLOCKS:
        profile = profiles[name]
        assert isinstance(profile, ModbusProfile)
        blocks = plan_blocks(profile)
        found[name] = [(str(block.table), block.address, block.count) for block in blocks]
    assert found == BLOCKS
