"""Whether what each poll passes through was compiled, and of the source beside it (decision 0042)."""

from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_PACKAGES = ("collectors", "facility")


def is_compiled(root: Path = _ROOT) -> bool:
    """Whether this interpreter would import compiled modules from below a folder."""
    return any(True for _ in _modules(root))


def outdated(root: Path = _ROOT) -> str:
    """What to tell whoever has changed a module since it was compiled; empty if nobody has.

    Only a checkout is looked at: what an installation was compiled of cannot be changed by a pull.
    """
    if not (root / "setup.py").exists():
        return ""
    for source, module in _modules(root):
        if source.exists() and source.stat().st_mtime > module.stat().st_mtime:
            name = source.relative_to(root)
            return f"{name} is newer than what was compiled of it: run make compiled, or make plain"
    return ""


def _modules(root: Path) -> Iterator[tuple[Path, Path]]:
    """Source and compiled module of each that was compiled for this interpreter."""
    suffix = EXTENSION_SUFFIXES[0]
    for package in _PACKAGES:
        for module in (root / package).rglob(f"*{suffix}"):
            yield module.with_name(module.name.removesuffix(suffix) + ".py"), module
