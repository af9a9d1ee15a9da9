"""The dashboards as files, for provisioning and for review of what a change does to them."""

from pathlib import Path

from grafana.assembly import render
from grafana.dashboards import build_all

GENERATED = Path(__file__).parent / "generated"
"""Where the built dashboards are kept; never edited by hand."""


def contents() -> dict[str, str]:
    """File name and text of every dashboard."""
    return {f"{page.uid}.json": render(page) for page in build_all()}


def write(folder: Path = GENERATED) -> tuple[Path, ...]:
    """Write every dashboard to a folder, which is made if it is missing; other files are left alone.

    Raises:
        OSError: the folder or a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in contents().items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return tuple(written)
