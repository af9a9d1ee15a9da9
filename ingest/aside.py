"""Names for files that are put aside, so that nothing of them is lost."""

from pathlib import Path


def free_name(path: Path, what: str) -> Path:
    """A name beside a file's or folder's that nothing has, and that says what it is."""
    number = 1
    while (name := Path(f"{path}.{what}-{number}")).exists():
        number += 1
    return name
