"""When lessons are saved, what is saved again after it could not be, and what a kept one may say."""

import asyncio
import json
import logging

import pytest

from collectors.errors import LessonsError
from collectors.lessons import Lesson, Lessons, map_hash
from collectors.profiles import DataType, SunSpecModel, Table
from tests.collectors.conftest import running, until
from tests.collectors.driving import Drive, Registers, profile_of

PROFILE = profile_of(words=range(4))


class Keeper:
    """Where documents are saved to; not while ``full``."""

    def __init__(self) -> None:
        self.documents: list[bytes] = []
        self.full = False

    def __call__(self, document: bytes) -> None:
        if self.full:
            raise OSError("no space left on device")
        self.documents.append(document)


async def test_what_changes_together_is_saved_once_and_what_is_the_same_is_not() -> None:
    keeper = Keeper()
    lessons = Lessons(keeper, pause=0.01)
    lesson = lessons.of("gw", 7, PROFILE)
    async with running(lessons.run()):
        lesson.refused = {**lesson.refused, (Table.HOLDING, 1): 2}
        lessons.changed()
        lesson.refused = {**lesson.refused, (Table.HOLDING, 2): 2}
        lessons.changed()
        await until(lambda: len(keeper.documents) == 1)
        (entry,) = json.loads(keeper.documents[0])["lessons"]
        assert entry["refused"] == [["holding", 1, 2], ["holding", 2, 2]]

        lessons.changed()  # a refused value was asked for again and is still refused
        await asyncio.sleep(0.05)
        lesson.refused = {**lesson.refused, (Table.HOLDING, 3): 3}
        lessons.changed()
        await until(lambda: len(keeper.documents) == 2)
    assert len(keeper.documents) == 2


async def test_what_could_not_be_saved_is_saved_when_it_can_be(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "collectors.lessons")
    keeper = Keeper()
    keeper.full = True
    lessons = Lessons(keeper, pause=0.01, retry_pause=0.01)
    lessons.of("gw", 7, PROFILE).start = 0
    async with running(lessons.run()):
        lessons.changed()
        await until(lambda: len(caplog.records) == 1)
        keeper.full = False
        await until(lambda: len(keeper.documents) == 1)
    assert [record.getMessage() for record in caplog.records] == [
        "lessons about devices cannot be saved: no space left on device; trying again",
        "lessons about devices are saved again",
    ]


async def test_others_have_their_turn_while_many_lessons_are_written() -> None:
    keeper = Keeper()
    lessons = Lessons(keeper, pause=0.0)
    for unit in range(2000):
        lessons.of("gw", unit, PROFILE).identity = {"serial": f"BX-{unit}"}
    turns = 0

    async def count() -> None:
        nonlocal turns
        while not keeper.documents:
            turns += 1
            await asyncio.sleep(0)

    async with running(lessons.run()):
        lessons.changed()
        await asyncio.sleep(0)
        await count()
    assert turns >= 7  # 2,000 lessons in steps of 256
    assert len(json.loads(keeper.documents[0])["lessons"]) == 2000


async def test_what_was_learned_last_is_saved_at_the_end() -> None:
    keeper = Keeper()
    lessons = Lessons(keeper, pause=3600.0)
    lesson = lessons.of("gw", 7, PROFILE)
    async with running(lessons.run()):
        lesson.identity = {"serial": "BX-1"}
        lessons.changed()
        await asyncio.sleep(0)
    assert len(keeper.documents) == 1


def test_a_place_of_a_model_that_cannot_be_is_not_taken_up() -> None:
    profile = profile_of(words=[10], sunspec=SunSpecModel(model=103))
    lessons = Lessons()
    lessons.of("gw", 1, profile).start = 65526
    document = lessons.document()

    drive = Drive(profile, Lessons(document=document))

    assert drive.reader.lesson.start is None
    drive.scan(Registers({}))
    assert drive.quality == [4]


ENTRY = {
    "endpoint": "gw",
    "unit": 7,
    "profile": "test",
    "map": "00",
    "refused": [["holding", 1, 2]],
    "cuts": [["holding", 2]],
    "start": None,
    "identity": {"serial": "BX-7"},
}


def document(version: object = 1, **changes: object) -> bytes:
    return json.dumps({"dcops_lessons": version, "lessons": [ENTRY | changes]}).encode()


@pytest.mark.parametrize(
    "wrong",
    [
        document(2),
        document(0),
        document(unit=-1),
        document(unit=True),
        document(unit="7"),
        document(start=-40_000),
        document(refused=[["holding", 1, -2]]),
        document(refused=[["holding", True, 2]]),
        document(refused=[["nowhere", 1, 2]]),
        document(cuts=["holding"]),
        document(identity={"serial": 7}),
        b"[]",
        b"half of {",
    ],
)
def test_what_is_no_document_of_lessons_is_refused_whole(wrong: bytes) -> None:
    Lessons(document=document())
    with pytest.raises(LessonsError, match=r"they are (no lessons of dcops|of version)"):
        Lessons(document=wrong)


def test_a_map_is_another_if_its_values_lie_elsewhere_are_longer_or_of_another_model() -> None:
    plain = profile_of([(0, DataType.U16)])
    others = (
        profile_of([(1, DataType.U16)]),
        profile_of([(0, DataType.U32)]),
        profile_of([(0, DataType.U16)], sunspec=SunSpecModel(model=103)),
        profile_of([(0, DataType.U16)], sunspec=SunSpecModel(model=203)),
    )
    assert len({map_hash(each) for each in (plain, *others)}) == 5
    assert map_hash(profile_of([(0, DataType.S16)])) == map_hash(plain)


def test_what_is_forgotten_is_all_of_it() -> None:
    lesson = Lesson(
        refused={(Table.HOLDING, 1): 2},
        cuts=frozenset({(Table.HOLDING, 2)}),
        start=40_000,
        identity={"serial": "BX-7"},
    )
    lesson.forget()
    assert lesson == Lesson()
    assert not lesson
    for each in (
        Lesson(refused={(Table.HOLDING, 1): 2}),
        Lesson(cuts=frozenset({(Table.HOLDING, 2)})),
        Lesson(start=0),
        Lesson(identity={"serial": "BX-7"}),
    ):
        assert each
