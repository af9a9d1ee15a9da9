"""Addresses and units as they are written on a command line."""

import argparse

import pytest

from dcops.targets import Target, target, targets, units


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.10", (Target("192.0.2.10"),)),
        ("192.0.2.10:1502", (Target("192.0.2.10", 1502),)),
        ("gw-1.example", (Target("gw-1.example"),)),
        ("gw-1:1502, gw-2", (Target("gw-1", 1502), Target("gw-2"))),
        ("[2001:db8::1]:802", (Target("2001:db8::1", 802),)),
        ("2001:db8::1", (Target("2001:db8::1"),)),
        ("192.0.2.8/30", (Target("192.0.2.9"), Target("192.0.2.10"))),
        ("192.0.2.9/30,192.0.2.9", (Target("192.0.2.9"), Target("192.0.2.10"))),
        ("192.0.2.7/32", (Target("192.0.2.7"),)),
    ],
)
def test_targets(text: str, expected: tuple[Target, ...]) -> None:
    assert targets(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("10.0.0.0/8", "16,777,216 addresses, at most 1,024"),
        ("10.0.0.0/23,10.1.0.0/23,10.2.0.0/23", "more addresses than 1,024"),
        ("192.0.2.300/24", "is no network"),
        ("gw:99999", "'99999' is no port"),
        ("gw:", "lacks the port"),
        ("", "is no address"),
        ("[::1]502", "is no address"),
        ("[::1]:", "is no address"),
        ("[::1", "is no address"),
        ("192.0.2..10", "is no address"),
        ("192.0.2.300", "is no address"),
        ("gw-" + "1" * 61, "is no address"),
        ("tcp://gw", "is no "),
    ],
)
def test_wrong_targets_are_refused_with_the_mend(text: str, words: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=words):
        targets(text)


def test_a_network_of_the_most_addresses_is_taken() -> None:
    assert len(targets("10.0.0.0/22")) == 1022


def test_one_target_is_one() -> None:
    assert target("gw-1:1502") == Target("gw-1", 1502)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1", (1,)), ("1-4,255", (1, 2, 3, 4, 255)), ("3,1-3", (3, 1, 2)), ("0", (0,))],
)
def test_units(text: str, expected: tuple[int, ...]) -> None:
    assert units(text) == expected


@pytest.mark.parametrize("text", ["", "256", "5-3", "a", "1-", "-1", "1-2-3"])
def test_wrong_units_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="numbers from 0 to 255"):
        units(text)
