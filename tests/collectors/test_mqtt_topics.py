"""Topics of devices, and what is subscribed to for them."""

import pytest

from collectors.mqtt_topics import Topic, subscriptions, topic_of


@pytest.mark.parametrize(
    ("device", "below", "whole"),
    [
        ("dcops/k1/pdu", "", "dcops/k1/pdu"),
        ("/mbmd/sdm1-1", "Power/L1", "/mbmd/sdm1-1/Power/L1"),
        ("/mbmd/sdm1-1", "../status", "/mbmd/status"),
        ("/sdm1-1", "../status", "/status"),
        ("sdm1-1", "../status", "status"),
        ("zigbee2mqtt/hall/probe", "../../bridge/state", "zigbee2mqtt/bridge/state"),
    ],
)
def test_a_topic_lies_below_that_of_its_device(device: str, below: str, whole: str) -> None:
    assert topic_of(device, below).whole == whole


def test_there_is_nothing_above_the_first_level() -> None:
    with pytest.raises(ValueError, match="goes up further than 'a' has levels"):
        topic_of("a", "../../b")


def own(*topics: str) -> list[Topic]:
    return [Topic(topic, "") for topic in topics]


def test_few_topics_are_subscribed_as_they_are_and_many_by_depth() -> None:
    assert list(subscriptions(own("b", "a", "a"))) == ["a", "b"]
    many = own(*(f"dcops/k{at}/pdu" for at in range(150)), *(f"site/{at}" for at in range(100)))
    assert sorted(subscriptions(many)) == ["dcops/+/pdu", "site/+"]


def test_of_many_devices_with_a_topic_a_point_only_those_points_are_subscribed() -> None:
    meters = [topic_of(f"mbmd/sdm1-{at}", below) for at in range(150) for below in ("Power", "Power/L1")]
    assert sorted(subscriptions(meters)) == ["mbmd/+/Power", "mbmd/+/Power/L1"]


def test_of_one_device_each_topic_is_subscribed_as_it_is() -> None:
    victron = [topic_of("N/c0619ab0/grid/30", f"Ac/{at}") for at in range(250)]
    assert sorted(subscriptions(victron)) == sorted(f"N/c0619ab0/grid/30/Ac/{at}" for at in range(250))


def test_no_topic_is_in_two_patterns() -> None:
    """Some brokers would send its messages twice."""
    shallow = [topic_of(f"a/{at}", "Ac/Power") for at in range(150)]
    deep = [topic_of(f"a/{at}/{at}", "Power") for at in range(100)]
    assert list(subscriptions(shallow + deep)) == ["a/+/+/Power"]
    apart = [topic_of(f"b/{at}/{at}", "Power") for at in range(100)]
    assert sorted(subscriptions(shallow + apart)) == ["a/+/Ac/Power", "b/+/+/Power"]
    covered = [Topic("a/one/x/Power", "one/x/Power")]
    assert list(subscriptions(shallow + deep + covered)) == ["a/+/+/Power"]


def test_it_is_known_which_subscriptions_tell_of_liveness() -> None:
    few = [topic_of("tele/a", "SENSOR"), topic_of("tele/a", "LWT", of_liveness=True)]
    assert subscriptions(few) == {"tele/a/LWT": True, "tele/a/SENSOR": False}
    many = [
        topic
        for at in range(150)
        for topic in (topic_of(f"tele/{at}", "SENSOR"), topic_of(f"tele/{at}", "LWT", of_liveness=True))
    ]
    assert subscriptions(many) == {"tele/+/LWT": True, "tele/+/SENSOR": False}
