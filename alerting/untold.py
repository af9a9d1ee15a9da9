"""What notifiers have not sent yet, as bytes: so that a restart keeps nobody from being told."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence

import orjson

from alerting.alarms import Alarm, alarm_from_record
from alerting.delivery import Notifier
from alerting.errors import SnapshotError
from alerting.written import Written

VERSION = 1


def write_untold(notifiers: Iterable[Notifier], written: Callable[[str], Written]) -> bytes:
    """What each of them still has to send, as JSON; ``written`` is what was written of it before, by name."""
    waiting = {each.name: written(each.name)(each.untold) for each in notifiers}
    return orjson.dumps({"version": VERSION, "waiting": waiting})


def read_untold(body: bytes) -> Mapping[str, Sequence[Alarm]]:
    """The alarms that ``write_untold`` was given, by the name of the notifier.

    Raises:
        SnapshotError: the bytes are none such.
    """
    try:
        content = json.loads(body)
        version = content["version"]
        waiting = {
            str(name): tuple(map(alarm_from_record, alarms)) for name, alarms in content["waiting"].items()
        }
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SnapshotError(f"alarms that were still to be sent cannot be read: {error!r}") from error
    if version != VERSION:
        raise SnapshotError(f"alarms that were still to be sent are of version {version}, not {VERSION}")
    return waiting
