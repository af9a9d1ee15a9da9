"""What must survive a power cut is on the disk, not only on its way there."""

import os
from pathlib import Path


def make_durable(path: Path) -> None:
    """Have all of a file or folder on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
