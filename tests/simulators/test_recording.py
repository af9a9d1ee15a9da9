"""What was recorded is what is replayed, into a process and onto the wire."""

import asyncio
import struct
import threading
import tracemalloc
import zlib
from io import FileIO
from pathlib import Path

import numpy as np
import orjson
import pytest

from facility.quality import Quality
from facility.sample import Sample
from facility.site import Site
from simulators.errors import RecordingError
from simulators.playback import Playback
from simulators.recording import Recorder, Recording
from tests.simulators.waiting import until

SECOND = 1_000_000_000
SERIES = ("a.x", "a.y", "b.x", "b.y")


def sample(first: int, time: int, *values: float, quality: int = Quality.GOOD) -> Sample:
    return Sample(first, time, np.array(values), np.full(len(values), quality, dtype=np.uint8))


def facts(samples: list[Sample] | tuple[Sample, ...]) -> list[tuple[int, int, list[float], list[int]]]:
    return [(each.first, each.time, each.values.tolist(), each.quality.tolist()) for each in samples]


async def record(path: Path, *samples: Sample, series: tuple[str, ...] = SERIES) -> Recorder:
    recorder = Recorder(path, series)
    task = asyncio.create_task(recorder.run())
    await asyncio.sleep(0)
    for each in samples:
        recorder(each)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return recorder


def recorded(folder: Path, series: tuple[str, ...], *samples: Sample, **head: int) -> Recording:
    """A recording of samples, a block each; ``head`` is what else its first line says."""
    path = folder / "recorded"
    recorder = Recorder(path, series)
    with path.open("wb", buffering=0) as file:
        file.write(orjson.dumps({"dcops_recording": 1, **head, "series": series}) + b"\n")
        for each in samples:
            recorder(each)
            recorder._write(file, *recorder._take())
    return Recording.read(path)


async def test_samples_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "day.dcr"
    samples = [sample(0, 5, 1.5, -2.0), sample(2, 7, np.inf), sample(3, 6, 4.0, quality=Quality.UNCERTAIN)]
    recorder = await record(path, *samples)
    assert recorder.recorded == 3
    recording = Recording.read(path)
    assert recording.series == SERIES
    assert facts(tuple(recording.samples())) == facts(samples)
    assert (recording.torn_bytes, recording.lost_samples) == (0, 0)


async def test_what_is_recorded_is_passed_on(tmp_path: Path) -> None:
    passed: list[Sample] = []
    recorder = Recorder(tmp_path / "r", SERIES, passed.append)
    one = sample(0, 5, 1.0)
    recorder(one)
    assert passed == [one]


async def test_the_buffer_is_bounded_and_says_what_it_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    passed: list[Sample] = []
    recorder = Recorder(tmp_path / "r", SERIES, passed.append, bound=60)
    for time in range(5):
        recorder(sample(0, time, 1.0))
    assert recorder.dropped == 3
    assert len(passed) == 5
    async with asyncio.TaskGroup() as group:
        task = group.create_task(recorder.run())
        await asyncio.sleep(0)
        task.cancel()
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}/r cannot be written as fast as samples come: some are left out",
        f"{tmp_path}/r lacks 3 samples",
    ]


async def test_a_recorder_writes_while_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "r"
    recorder = Recorder(path, SERIES)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(recorder.run())
        recorder(sample(0, 1, 1.0))
        await until(lambda: recorder.recorded == 1)
        assert len(list(Recording.read(path).samples())) == 1
        task.cancel()


async def test_a_stop_waits_for_what_is_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r"
    recorder = Recorder(path, SERIES)
    begun, go_on = threading.Event(), threading.Event()
    write = recorder._write

    def slowly(file: FileIO, data: bytes, samples: int) -> None:
        if samples == 1:
            begun.set()
            assert go_on.wait(60)
        write(file, data, samples)

    monkeypatch.setattr(recorder, "_write", slowly)
    task = asyncio.create_task(recorder.run())
    await asyncio.sleep(0)
    recorder(sample(0, 1, 1.0))
    await until(begun.is_set)
    recorder(sample(0, 2, 2.0))
    recorder(sample(0, 3, 3.0))
    task.cancel()
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(task, return_exceptions=True)
    assert [each.time for each in Recording.read(path).samples()] == [1, 2, 3]
    assert recorder.recorded == 3


def write_to_a_full_disk(recorder: Recorder, taken: tuple[bytes, int]) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        recorder._write(full, *taken)


async def test_a_disk_that_takes_no_more_ends_the_recording_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    passed: list[Sample] = []
    recorder = Recorder(tmp_path / "r", SERIES, passed.append)
    task = asyncio.create_task(recorder.run())
    await asyncio.sleep(0)
    recorder(sample(0, 1, 1.0))
    write_to_a_full_disk(recorder, recorder._take())
    recorder(sample(0, 2, 2.0))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (recorder.recorded, recorder.dropped) == (0, 2)
    assert [each.time for each in passed] == [1, 2]
    assert list(Recording.read(tmp_path / "r").samples()) == []
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}/r cannot be written any more (No space left on device): the recording ends here",
        f"{tmp_path}/r lacks 2 samples",
    ]


async def test_what_came_while_the_disk_refused_is_not_written_behind_the_torn_block(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(tmp_path / "r", SERIES)
    task = asyncio.create_task(recorder.run())
    await asyncio.sleep(0)
    recorder(sample(0, 1, 1.0))
    taken = recorder._take()
    recorder(sample(0, 2, 2.0))
    write_to_a_full_disk(recorder, taken)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (recorder.recorded, recorder.dropped) == (0, 2)
    assert list(Recording.read(tmp_path / "r").samples()) == []
    assert len(caplog.records) == 2


async def test_a_recording_that_is_there_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "r"
    path.write_text("precious")
    with pytest.raises(FileExistsError):
        await Recorder(path, SERIES).run()
    assert path.read_text() == "precious"


async def test_a_torn_end_is_left_out_and_counted(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    first, second = sample(0, 1, 1.0), sample(1, 2, 2.0)
    recorder = Recorder(whole, SERIES)
    with whole.open("wb", buffering=0) as file:
        file.write(b'{"dcops_recording": 1, "series": ["a.x", "a.y", "b.x", "b.y"]}\n')
        recorder(first)
        recorder._write(file, *recorder._take())
        intact = file.tell()
        recorder(second)
        recorder(second)
        recorder._write(file, *recorder._take())
    content = whole.read_bytes()
    for length, lost in ((len(content) - 3, 2), (intact + 10, 0), (intact + 16, 2)):
        torn = tmp_path / "torn"
        torn.write_bytes(content[:length])
        recording = Recording.read(torn)
        assert facts(tuple(recording.samples())) == facts([first])
        assert recording.torn_bytes == length - intact
        assert recording.lost_samples == lost


def test_a_damaged_block_costs_itself_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = recorded(tmp_path, SERIES, sample(0, 1, 1.0), sample(0, 2, 2.0), sample(0, 3, 3.0)).path
    content = bytearray(path.read_bytes())
    content[content.index(b"DCRB", content.index(b"DCRB") + 1) + 20] ^= 0xFF
    path.write_bytes(content)
    recording = Recording.read(path)
    assert [each.time for each in recording.samples()] == [1, 3]
    assert (recording.torn_bytes, recording.lost_samples) == (0, 1)
    assert caplog.messages == [f"{path}: a block of 1 samples is damaged and left out"]


def test_samples_that_came_late_are_played_at_their_time(tmp_path: Path) -> None:
    times = (5, 9, 7, 1, 9, 8)
    late = (sample(0, time, float(number)) for number, time in enumerate(times))
    found = recorded(tmp_path, SERIES, *late).onto(SERIES)
    assert [(each.time, each.values[0]) for each in found] == [(1, 3), (5, 0), (7, 2), (8, 5), (9, 1), (9, 4)]


def test_a_long_recording_is_played_in_little_memory(site: Site, tmp_path: Path) -> None:
    series = ("weather.outdoor_temperature", *(f"gone.{number}" for number in range(999)))
    # 2,000 blocks of 1,000 values of 9 bytes: 18 MB.
    path = recorded(tmp_path, series, *(sample(0, at * SECOND, *range(1000)) for at in range(2000))).path
    tracemalloc.start()
    source = Playback(site, Recording.read(path), start=0)
    source.advance(2000 * SECOND)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert source.finished
    assert source.values[site.point_index("weather", "outdoor_temperature")] == 0.0
    assert most < 3e6


async def test_the_format_is_what_it_says(tmp_path: Path) -> None:
    import struct  # noqa: PLC0415 - only this test looks at the bytes
    import zlib  # noqa: PLC0415

    path = tmp_path / "r"
    await record(path, sample(2, 3, 1.0))
    header, _, rest = path.read_bytes().partition(b"\n")
    assert header == b'{"dcops_recording":1,"started":0,"series":["a.x","a.y","b.x","b.y"]}'
    magic, count, length, checksum = struct.unpack(">4sIII", rest[:16])
    assert (magic, count, length, checksum) == (b"DCRB", 1, len(rest) - 16, zlib.crc32(rest[16:]))
    assert zlib.decompress(rest[16:]) == struct.pack("<IIqdB", 2, 1, 3, 1.0, 192)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"hello\n", "first line is not JSON"),
        (b"{}\n", "has no 'dcops_recording'"),
        (b'{"dcops_recording": 2, "series": []}\n', "version 2; this reads version 1"),
    ],
)
def test_what_is_no_recording_is_told(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "r"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=expected):
        Recording.read(path)


def test_series_are_found_by_name_and_unknown_ones_left_out(tmp_path: Path) -> None:
    recording = recorded(tmp_path, SERIES, sample(0, 1, 1.0, 2.0, 3.0, 4.0))
    found = recording.onto(("b.y", "z.z", "a.x", "a.y"))
    assert [(each.first, each.values.tolist()) for each in found] == [(2, [1.0, 2.0]), (0, [4.0])]
    found = recording.onto(("a.y", "b.x"))
    assert [(each.first, each.values.tolist()) for each in found] == [(0, [2.0, 3.0])]


def test_playback_shows_what_was_recorded_when_it_was(site: Site, tmp_path: Path) -> None:
    sensor = site.device_index["weather"]
    series = ("weather.outdoor_temperature", "weather.relative_humidity", "gone.x")
    recording = recorded(
        tmp_path,
        series,
        sample(0, 100 * SECOND, 5.0, 80.0),
        sample(2, 101 * SECOND, 1.0),
        sample(0, 110 * SECOND, np.nan, np.nan, quality=Quality.COMM_FAILURE),
        sample(0, 120 * SECOND, 6.0, 70.0),
    )
    source = Playback(site, recording, start=0, speed=10.0)
    temperature = site.point_index("weather", "outdoor_temperature")
    assert bool(source.silent.all())
    assert source.advance(0)
    assert source.values[temperature] == 5.0
    assert not source.silent[sensor]
    assert source.silent.sum() == len(site.devices) - 1
    assert not source.advance(SECOND // 2)
    assert source.advance(SECOND)
    assert source.silent[sensor]
    assert source.values[temperature] == 5.0
    source.advance(2 * SECOND)
    assert source.values[temperature] == 6.0
    assert not source.silent[sensor]
    assert source.finished


def test_a_device_of_which_one_block_is_not_read_answers_in_playback(site: Site, tmp_path: Path) -> None:
    series = ("weather.outdoor_temperature", "weather.relative_humidity")
    recording = recorded(
        tmp_path,
        series,
        sample(0, SECOND, 5.0, 80.0),
        sample(0, 2 * SECOND, 6.0),
        sample(1, 2 * SECOND, np.nan, quality=Quality.COMM_FAILURE),
        sample(0, 3 * SECOND, np.nan, quality=Quality.COMM_FAILURE),
    )
    source = Playback(site, recording, start=0)
    weather = site.device_index["weather"]
    temperature, humidity = (site.point_index("weather", name.partition(".")[2]) for name in series)
    source.advance(SECOND)
    assert not source.silent[weather]
    assert source.values[temperature] == 6.0
    assert np.isnan(source.values[humidity])
    source.advance(2 * SECOND)
    assert source.silent[weather]


def test_what_was_known_before_a_recording_began_is_played_at_once(site: Site, tmp_path: Path) -> None:
    series = ("weather.outdoor_temperature", "mains.volume")
    days = 3 * 86400
    recording = recorded(
        tmp_path,
        series,
        sample(0, SECOND, 5.0),
        sample(1, days * SECOND, 7.0),
        sample(1, (days + 10) * SECOND, 8.0),
        started=(days - 1) * SECOND,
    )
    source = Playback(site, recording, start=0)
    source.advance(0)
    assert source.values[site.point_index("weather", "outdoor_temperature")] == 5.0
    source.advance(SECOND)
    assert source.values[site.point_index("mains", "volume")] == 7.0
    source.advance(11 * SECOND)
    assert source.values[site.point_index("mains", "volume")] == 8.0


async def test_a_recording_says_when_it_began(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "r", SERIES, started=5)
    task = asyncio.create_task(recorder.run())
    await asyncio.sleep(0)
    recorder(sample(0, 3, 1.0))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    recording = Recording.read(tmp_path / "r")
    assert (recording.start, recording.end) == (5, 3)


def test_a_value_that_was_bad_does_not_exist_in_playback(site: Site, tmp_path: Path) -> None:
    failed = sample(0, 1, 99.0, quality=Quality.SENSOR_FAILURE)
    recording = recorded(tmp_path, ("weather.outdoor_temperature",), failed)
    source = Playback(site, recording, start=0)
    source.advance(SECOND)
    assert np.isnan(source.values[site.point_index("weather", "outdoor_temperature")])


@pytest.mark.parametrize(
    "packed", [b"no zlib", zlib.compress(b"short"), zlib.compress(bytes(8) + b"\0" * 8 + b"x")]
)
def test_blocks_that_hold_no_samples_are_told(tmp_path: Path, packed: bytes) -> None:
    path = tmp_path / "r"
    head = b'{"dcops_recording": 1, "series": ["a.x"]}\n'
    path.write_bytes(head + struct.pack(">4sIII", b"DCRB", 1, len(packed), zlib.crc32(packed)) + packed)
    with pytest.raises(RecordingError, match="the block at byte 0 of its blocks is none"):
        Recording.read(path)
