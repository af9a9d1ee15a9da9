"""The platform on a disk that fills, and on a journal that is damaged: it goes on, counts and recovers."""

import logging
import threading

import numpy as np
import pytest

from dcops import keepsakes
from ingest import journal
from tests.e2e.hall import Hall, running_hall, until
from tests.e2e.test_faults import said
from tests.ingest.disks import small_disk


async def metric(hall: Hall, name: str) -> float:
    async with hall.session.get(f"{hall.url}/metrics") as answer:
        for line in (await answer.text()).splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[1])
    pytest.fail(f"{name} is not exposed")


async def test_a_full_disk_costs_nothing_while_memory_lasts(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    with small_disk(tmp_path / "data", "24m") as disk:
        async with running_hall(tmp_path) as hall:
            spool = hall.platform.spool
            await until(lambda: hall.platform.deliveries[0].stats.written > 1000, "readings in the history")
            with (disk / "hog").open("wb", buffering=0) as hog:
                try:
                    while True:
                        hog.write(bytes(4096))
                except OSError:
                    pass
            await until(lambda: not spool.stats.available, "loss of the journal")
            assert "the disk is full" in spool.stats.error
            await until(lambda: spool.stats.memory_only > 3.0, "readings waiting in memory")
            ready = await hall.session.get(f"{hall.url}/readyz")
            assert ready.status == 503
            assert await metric(hall, "dcops_journal_up") == 0.0
            assert await metric(hall, "dcops_journal_memory_only_seconds") > 3.0
            polls, power = hall.platform.collection.totals().polls_done, hall.value("campus.power")
            await until(lambda: hall.platform.collection.totals().polls_done > polls + 20, "polls go on")
            await until(lambda: hall.value("campus.power") != power, "live values go on")
            (disk / "hog").unlink()
            await until(lambda: spool.stats.available and spool.stats.memory_only < 3.0, "the journal")
            await hall.platform.catch_up()
            await until(lambda: hall.platform.deliveries[0].backlog.points == 0, "the history")
            assert await metric(hall, "dcops_journal_readings_dropped_total") == 0.0
            written = hall.platform.deliveries[0].stats
            await until(lambda: spool.stats.appended == written.written, "all that was journalled")
    assert len(said(caplog, "readings wait in memory")) == 1
    assert len(said(caplog, "the journal can be used again")) == 1


async def test_energies_are_not_told_before_what_was_counted_is_known(tmp_path, monkeypatch):
    """As long as a damaged journal is made anew of what is sound in it, which may take minutes."""
    async with running_hall(tmp_path) as hall:
        await until(lambda: hall.value("campus.facility_energy") > 0, "energies")
        before = hall.value("campus.facility_energy")
    with (tmp_path / "data" / "journal.sqlite").open("r+b") as file:
        file.write(np.random.default_rng(3).bytes(4096))
    go_on, salvage = threading.Event(), journal.salvage
    monkeypatch.setattr(journal, "salvage", lambda *given: go_on.wait(120) and salvage(*given))
    monkeypatch.setattr(keepsakes, "PATIENCE", 0.1)
    try:
        async with running_hall(tmp_path) as hall:
            await until(lambda: hall.value("campus.power") > 0, "live values")
            await until(lambda: hall.value("campus.power_coverage") == 1.0, "all meters are read")
            ticks = hall.platform.signal.number
            await until(lambda: hall.platform.signal.number > ticks + 3, "ticks go on")
            told = hall.value("campus.facility_energy")
            go_on.set()
            assert np.isnan(told)
            await until(lambda: hall.value("campus.facility_energy") > 0, "energies")
            assert hall.value("campus.facility_energy") >= before
    finally:
        go_on.set()


async def test_a_damaged_journal_is_said_counted_and_gone_on_from(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    async with running_hall(tmp_path) as hall:
        await until(lambda: hall.platform.deliveries[0].stats.written > 1000, "readings in the history")
        await until(lambda: hall.value("campus.facility_energy") > 0, "energies")
        before = hall.value("campus.facility_energy")
    path = tmp_path / "data" / "journal.sqlite"
    with path.open("r+b") as file:
        file.write(np.random.default_rng(3).bytes(4096))
    async with running_hall(tmp_path) as hall:
        await until(lambda: hall.platform.deliveries[0].stats.written > 1000, "readings in the history")
        assert hall.platform.spool.stats.available
        assert hall.value("campus.facility_energy") >= before, "what was counted lay in a sound page"
        assert await metric(hall, "dcops_journal_files_damaged_total") == 1.0
        listed = {alarm["id"]: alarm for alarm in (await hall.get("/api/v1/alarms"))["alarms"]}
        alarm = listed["journal-damaged:journal"]
        assert (alarm["category"], alarm["priority"]) == ("platform", "medium")
        assert "1 damaged files put aside" in alarm["message"]
    assert len(said(caplog, "is damaged")) == 1
    assert path.with_name("journal.sqlite.damaged-1").exists()
