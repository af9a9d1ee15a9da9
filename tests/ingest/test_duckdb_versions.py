"""A history file of another version: older ones are taken over, newer ones left alone."""

from pathlib import Path

import duckdb
import pytest

from ingest.errors import StoreUnavailableError
from ingest.stores.duckdb import DuckHistory
from tests.ingest.histories import HOUR, MINUTE, meter, power, rows, steady
from tests.ingest.plant import NOON, StillClock


@pytest.fixture
def clock() -> StillClock:
    return StillClock(NOON + 6 * HOUR)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.duckdb"


VERSION_1 = """
CREATE TABLE series (id UINTEGER NOT NULL, name VARCHAR NOT NULL, derived BOOLEAN NOT NULL);
CREATE TABLE device_reading (
    series UINTEGER NOT NULL, time BIGINT NOT NULL, value DOUBLE, quality UTINYINT NOT NULL);
CREATE TABLE derived_reading (
    series UINTEGER NOT NULL, time BIGINT NOT NULL, value DOUBLE, quality UTINYINT NOT NULL);
CREATE TABLE progress (journal VARCHAR NOT NULL, position BIGINT NOT NULL);
INSERT INTO series VALUES (1, 'grid.active_power', false), (2, 'grid.active_energy', false),
    (3, 'campus.power', true);
INSERT INTO progress VALUES ('one', 2);
INSERT INTO device_reading VALUES
    (1, 1767268800000000000, 1.5, 192), (2, 1767268800000000000, 100.0, 192),
    (1, 1767268810000000000, NULL, 24), (2, 1767268810000000000, 101.0, 192),
    (1, 1767268800000000000, 2.5, 64);
INSERT INTO derived_reading VALUES (3, 1767268805000000000, 7.0, 68);
"""


async def test_a_file_of_the_first_version_is_taken_over(path: Path, clock: StillClock) -> None:
    with duckdb.connect(path) as old:
        old.execute(VERSION_1)
    for _ in range(2):
        store = DuckHistory(path, clock)
        await store.write(
            [meter(1, [(0, 9.0, 9.0)]), meter(2, [(0, 9.0, 9.0)]), meter(3, [(20, 3.0, 102.0)])]
        )
        assert await power(store) == [(0.0, 2.5, 64), (10.0, None, 24), (20.0, 3.0, 192)]
        campus = await store.history("campus.power", NOON, NOON + HOUR)
        assert rows(campus) == [(5.0, 7.0, 68)]
        energy = await store.history("grid.active_energy", NOON, NOON + HOUR, MINUTE)
        assert rows(energy)[0] == (0.0, 102.0, 192), "counters are known once a site names them"
        await store.compact()
        assert await store.check() == []
        await store.close()


VERSION_2 = """
CREATE TABLE format (version INTEGER NOT NULL, identity VARCHAR NOT NULL);
CREATE TABLE series (id UINTEGER NOT NULL, name VARCHAR NOT NULL, derived BOOLEAN NOT NULL, counter BOOLEAN);
CREATE TABLE progress (journal VARCHAR NOT NULL, position BIGINT NOT NULL);
CREATE TABLE usual (series UINTEGER NOT NULL, period UINTEGER NOT NULL);
CREATE TABLE hot (number INTEGER NOT NULL, sealed BIGINT);
CREATE TABLE file (
    number INTEGER NOT NULL, name VARCHAR NOT NULL, level VARCHAR NOT NULL, partition BIGINT NOT NULL,
    state VARCHAR NOT NULL, rank INTEGER, tier INTEGER, rows BIGINT, bytes BIGINT, sha256 VARCHAR,
    first_series UINTEGER, last_series UINTEGER, first_time BIGINT, last_time BIGINT);
CREATE TABLE level (key VARCHAR NOT NULL, floor BIGINT NOT NULL, watermark BIGINT);
CREATE SEQUENCE number START 9;
CREATE TABLE hot_7 (series UINTEGER NOT NULL, time BIGINT NOT NULL, value DOUBLE, quality UTINYINT NOT NULL);
CREATE TABLE hot_8 (series UINTEGER NOT NULL, time BIGINT NOT NULL, value DOUBLE, quality UTINYINT NOT NULL);
INSERT INTO format VALUES (2, 'abc');
INSERT INTO series VALUES (1, 'grid.active_power', false, false), (2, 'campus.power', true, false);
INSERT INTO progress VALUES ('one', 5), ('other', 2);
INSERT INTO hot VALUES (7, 1767272400000), (8, NULL);
INSERT INTO level VALUES ('device', 0, NULL), ('derived', 0, NULL), ('1min', 0, NULL), ('15min', 0, NULL),
    ('1h', 0, NULL);
INSERT INTO hot_7 VALUES (1, 1767268800000, 1.5, 192), (1, 1767268810000, NULL, 24),
    (2, 1767268805000, 7.0, 68);
INSERT INTO hot_8 VALUES (1, 1767268820000, 3.0, 192), (1, 1767268800000, 2.5, 64);
"""


async def test_a_file_of_the_second_version_is_taken_over(path: Path, clock: StillClock) -> None:
    with duckdb.connect(path) as old:
        old.execute(VERSION_2)
    for _ in range(2):
        store = DuckHistory(path, clock)
        await store.write([meter(5, [(0, 9.0, 9.0)]), meter(6, [(30, 4.0, 102.0)])])
        assert await power(store) == [(0.0, 2.5, 64), (10.0, None, 24), (20.0, 3.0, 192), (30.0, 4.0, 192)]
        assert rows(await store.history("campus.power", NOON, NOON + HOUR)) == [(5.0, 7.0, 68)]
        await store.compact()
        assert await store.check() == []
        await store.close()


async def test_a_file_of_a_newer_version_is_left_alone(path: Path, clock: StillClock) -> None:
    store = DuckHistory(path, clock)
    await store.write([steady(1, 0, 1)])
    await store.close()
    with duckdb.connect(path) as file:
        file.execute("UPDATE format SET version = 99")
    other = DuckHistory(path, StillClock())
    with pytest.raises(StoreUnavailableError, match=r"version 99.*knows 3.*use the dcops that made it"):
        await other.write([steady(2, 10, 1)])
    await other.close()
