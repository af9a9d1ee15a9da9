"""The first talk with a device, and those now and then: who it is, where its values lie, what it tells."""

import logging
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType

from collectors.decode import decode_text
from collectors.lessons import Lesson, fits
from collectors.modbus import Answer, Fault
from collectors.modbus.frames import IDENTIFY, Request, read_request
from collectors.modbus.identity import (
    BusyDeviceError,
    ForeignDeviceError,
    check_identification,
    read_checks,
    read_identification,
)
from collectors.modbus.readout import NEVER
from collectors.modbus.sunspec import find_model
from collectors.planning import Block, plan_texts
from collectors.profiles import ModbusProfile
from facility.sample import NANOSECONDS

_LOG = logging.getLogger(__name__)

ACQUAINTANCE = 3600 * NANOSECONDS
"""After about so long a device is asked again who it is."""


@dataclass(slots=True)
class Acquaintance:
    """What a device told."""

    start: int | None = None
    """Where its SunSpec model begins."""
    identity: dict[str, str] = field(default_factory=dict)
    """What another device would tell otherwise."""
    texts: dict[str, str] = field(default_factory=dict)
    """Those of the profile, and what the device tells of itself by a standard; to be shown."""


_NO_TEXTS: Mapping[str, str] = MappingProxyType({})

Talk = Generator[Request, Answer, Acquaintance]
"""Yields requests, is sent the answer to each."""


class Contact:
    """Knows who a device is, as far as it tells. A talk is one question after the other."""

    __slots__ = (
        "_deaf",
        "_device",
        "_lesson",
        "_profile",
        "_random",
        "_talk",
        "_unit",
        "busy",
        "changes",
        "due_at",
        "foreign",
        "question",
        "texts",
    )

    def __init__(
        self, device: str, profile: ModbusProfile, unit: int, lesson: Lesson, random: Random
    ) -> None:
        self.question: Request | None = None
        """What the talk under way asks now."""
        self.foreign = ""
        """Why the device is not what its profile describes; empty if nothing says so."""
        self.busy = ""
        """Why it could not be asked; empty if it could."""
        self.texts: Mapping[str, str] = _NO_TEXTS
        """What the device tells of itself."""
        self.changes = 0
        """How often another device was found in its place."""
        self._device = device
        self._profile = profile
        self._unit = unit
        self._lesson = lesson
        self._random = random
        self._deaf = False
        """It did not answer function 43 when last asked, though it had answered just before."""
        self._talk: Talk | None = None
        self.due_at = 0
        """When to ask again, ns."""

    def ask_soon(self) -> None:
        """Ask with the next scan."""
        self._deaf = False
        self.due_at = 0

    def is_due(self, now: int) -> bool:
        """Whether it is time to ask."""
        return now >= self.due_at

    def open(self, probe: Request, now: int) -> None:
        """Begin a talk; ``probe`` is a cheap read that shows whether the device is there."""
        self._talk = self._converse(probe)
        self._go_on(self._talk, None, now)

    def hear(self, answer: Answer, now: int) -> bool:
        """The answer to the question; True if something that was learned of the device is another now."""
        return self._talk is not None and self._go_on(self._talk, answer, now)

    def _go_on(self, talk: Talk, answer: Answer | None, now: int) -> bool:
        try:
            self.question = next(talk) if answer is None else talk.send(answer)
        except StopIteration as end:
            self._end(now)
            return self._meet(end.value)
        except BusyDeviceError as error:
            self._end(now)
            self.due_at = 0
            self.busy = f"it cannot be asked what it is: {error}"
        except ForeignDeviceError as error:
            self._end(now)
            self.due_at = 0
            self.texts = _NO_TEXTS
            if not self.foreign:
                _LOG.warning("device %s is not a %s: %s", self._device, self._profile.name, error)
            self.foreign = f"it is not a {self._profile.name}: {error}"
        return False

    def break_off(self) -> None:
        """There was no answer; some devices are silent when they do not know a function.

        Such a one is not asked that question in the next talk, but in the one an hour later.
        """
        if self.question is not None and self.question.function == IDENTIFY:
            self._deaf = True
        self._talk = self.question = None

    def _end(self, now: int) -> None:
        self._talk = self.question = None
        self._deaf = False
        self.busy = ""
        self.due_at = now + round(ACQUAINTANCE * self._random.uniform(0.75, 1.25))

    def _meet(self, found: Acquaintance) -> bool:
        """Compare what was told with what is remembered."""
        lesson = self._lesson
        if self.foreign:
            _LOG.info("device %s is a %s", self._device, self._profile.name)
        self.foreign = ""
        self.texts = found.texts
        before = (lesson.start, dict(lesson.identity))
        for name, told in found.identity.items():
            known = lesson.identity.get(name, told)
            if known != told:
                self.changes += 1
                _LOG.info(
                    "device %s was replaced: %s was %r and is now %r; its lessons are forgotten",
                    *(self._device, name, known, told),
                )
                lesson.forget()
                break
        lesson.start = found.start
        lesson.identity = {**lesson.identity, **found.identity}
        return before != (lesson.start, lesson.identity)

    def _converse(self, probe: Request) -> Talk:
        """Ask the device who it is.

        Function 43 is asked only of a device that has just answered something else, so that silence then
        is that of a device that does not know it, and not of one that is off.

        Raises:
            ForeignDeviceError: it is not what the profile describes.
            BusyDeviceError: it is busy.
        """
        profile, unit = self._profile, self._unit
        found = Acquaintance()
        if profile.sunspec is not None:
            found.start, common = yield from find_model(profile.sunspec, unit)
            found.texts |= common
            if not fits(profile, found.start):
                raise ForeignDeviceError(
                    f"its SunSpec model {profile.sunspec.model} begins at {found.start},"
                    " so that what its profile asks for would lie behind the last address, 65535"
                )
        shift = found.start or 0
        found.identity |= yield from read_checks(profile.identity, unit, shift)
        if profile.identification is not None and not self._deaf:
            if profile.sunspec is None and not profile.identity:
                yield probe
            told = yield from read_identification(unit)
            check_identification(profile.identification, told)
            found.texts |= told
        found.texts |= yield from _texts(profile, unit, shift)
        found.identity |= found.texts
        return found


class NoContact(Contact):
    """With devices that have nothing to tell: one for all of them, since nothing ever changes in it."""

    __slots__ = ()

    def __init__(self) -> None:
        self.question = None
        self.foreign = self.busy = ""
        self.texts = _NO_TEXTS
        self.changes = 0
        self.due_at = NEVER

    def ask_soon(self) -> None:
        """There is nothing to ask."""

    def open(self, probe: Request, now: int) -> None:
        """Likewise."""

    def hear(self, answer: Answer, now: int) -> bool:  # noqa: ARG002 - nothing was asked
        """Nothing was asked."""
        return False

    def break_off(self) -> None:
        """There was no talk."""


_NO_CONTACT = NoContact()


def contact_with(device: str, profile: ModbusProfile, unit: int, lesson: Lesson, random: Random) -> Contact:
    """The contact with a device; shared if its profile asks it nothing."""
    if profile.identity or profile.identification or profile.sunspec or profile.texts:
        return Contact(device, profile, unit, lesson, random)
    return _NO_CONTACT


def _texts(profile: ModbusProfile, unit: int, shift: int) -> Generator[Request, Answer, dict[str, str]]:
    told: dict[str, str] = {}
    for text, blocks in zip(profile.texts, plan_texts(profile), strict=True):
        data = b""
        for block in blocks:
            answer = yield read_request(unit, Block(block.table, block.address + shift, block.count, ()))
            if isinstance(answer, Fault):
                break
            data += answer
        else:
            words = decode_text(text, data)
            if words:
                told[text.name] = words
    return told
