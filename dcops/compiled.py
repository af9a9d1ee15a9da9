"""Whether what each poll passes through was compiled, and of the source beside it (decision 0042)."""

import sys
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_PACKAGES = ("collectors", "facility")
_OF_ALL = "__mypyc"
"""How the name of the module ends that holds the code of all others: no source is its own."""
_CANNOT_START = 2


def is_compiled(root: Path = _ROOT) -> bool:
    """Whether this interpreter would import compiled modules from below a folder."""
    return any(True for _ in _modules(root))


def outdated(root: Path = _ROOT) -> str:
    """What to tell whoever has changed or removed a module since it was compiled; empty if nobody has.

    Only a checkout is looked at: what an installation was compiled of cannot be changed by a pull.
    """
    if not (root / "setup.py").exists():
        return ""
    for source, module in _modules(root):
        name = source.relative_to(root)
        if not source.exists():
            return f"{name} is gone, and what was compiled of it is not: run make plain, then make compiled"
        if source.stat().st_mtime > module.stat().st_mtime:
            return f"{name} is newer than what was compiled of it: run make compiled, or make plain"
    return ""


def require_current(program: str) -> None:
    """End a program if a module was changed since it was compiled: call it before one is imported."""
    if words := outdated():
        print(f"{program}: {words}", file=sys.stderr)
        raise SystemExit(_CANNOT_START)


def _modules(root: Path) -> Iterator[tuple[Path, Path]]:
    """Source and compiled module of each that was compiled for this interpreter."""
    suffix = EXTENSION_SUFFIXES[0]
    for package in _PACKAGES:
        for module in (root / package).rglob(f"*{suffix}"):
            name = module.name.removesuffix(suffix)
            if not name.endswith(_OF_ALL):
                yield module.with_name(f"{name}.py"), module
