"""Disks of which a test can do what it likes: small ones, and ones that become read-only."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def mount(*arguments: str | Path) -> None:
    """Mount something, or skip the test naming what is missing."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk for this test")
    done = subprocess.run(["mount", *map(str, arguments)], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")


def unmount(disk: Path) -> None:
    """Unmount a disk, waiting for those who have just closed their files on it."""
    deadline = time.monotonic() + 60
    while subprocess.run(["umount", disk], check=False, capture_output=True).returncode:
        assert time.monotonic() < deadline, f"{disk} stays busy"
        time.sleep(0.02)  # it is freed by another thread, in its own time


@contextmanager
def small_disk(folder: Path, size: str = "2m", *, read_only: bool = False) -> Iterator[Path]:
    """A disk in memory."""
    folder.mkdir()
    mount("-t", "tmpfs", "-o", f"size={size},{'ro' if read_only else 'rw'}", "tmpfs", folder)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


class FailingDisk:
    """An ext4 file system in a file, which can become read-only as it does when its disk fails."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """A link, which leads nowhere while the disk is not there: nobody writes in its empty place."""
        self._place = folder.with_suffix(".mounted")
        self._image = folder.with_suffix(".img")
        self._place.mkdir()
        with self._image.open("wb") as file:
            file.truncate(24 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", self._image], check=True, capture_output=True)

    def attach(self) -> None:
        """Make it usable."""
        mount("-o", "loop", self._image, self._place)
        self._lead_to(self._place)

    def fail(self) -> None:
        """From now on it is read-only, for files that are open too."""
        subprocess.run(["mount", "-o", "remount,abort", self._place], check=True, capture_output=True)

    def mend(self) -> None:
        """Unmount it and mount it again, as one does after a check of the file system."""
        self._lead_to(self._place.with_suffix(".nowhere"))
        unmount(self._place)
        self.attach()

    def _lead_to(self, place: Path) -> None:
        link = self.folder.with_suffix(".link")
        link.symlink_to(place)
        link.replace(self.folder)

    def remove(self) -> None:
        """Take it away."""
        subprocess.run(["umount", "-l", self._place], check=False, capture_output=True)


@contextmanager
def failing_disk(folder: Path) -> Iterator[FailingDisk]:
    """A disk that fails when it is told to."""
    disk = FailingDisk(folder)
    disk.attach()
    try:
        yield disk
    finally:
        disk.remove()
