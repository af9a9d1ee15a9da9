"""Edits of the site file and of profiles, as people make them, good and bad."""

import random
from collections.abc import Callable
from pathlib import Path

Edit = Callable[[Path, random.Random], None]

RULES = """
alarms:
  rules:
    - name: warm-rack
      point: air_inlet_temperature
      above: 33 °C
      deadband: 1 K
      priority: low
      action: Look at the rack.
"""


def slower_profile(folder: Path, choice: random.Random) -> None:
    """Read otherwise, with the same points."""
    path = choice.choice(sorted((folder / "profiles").glob("*.yaml")))
    text = path.read_text(encoding="utf-8").replace("max_gap: 4", f"max_gap: {choice.randrange(5, 9)}")
    path.write_text(text, encoding="utf-8")


def profile_without_a_point(folder: Path, choice: random.Random) -> None:
    path = choice.choice(sorted((folder / "profiles").glob("*.yaml")))
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    points = [at for at, line in enumerate(lines) if line.lstrip().startswith("- {name:")]
    if len(points) > 1:
        del lines[choice.choice(points)]
    path.write_text("".join(lines), encoding="utf-8")


def profile_comment(folder: Path, choice: random.Random) -> None:
    path = choice.choice(sorted((folder / "profiles").glob("*.yaml")))
    path.write_text(path.read_text(encoding="utf-8") + f"# {choice.random()}\n", encoding="utf-8")


def broken_profile(folder: Path, choice: random.Random) -> None:
    path = choice.choice(sorted((folder / "profiles").glob("*.yaml")))
    path.write_text(path.read_text(encoding="utf-8") + "nonsense: 1\n", encoding="utf-8")


def no_profile(folder: Path, choice: random.Random) -> None:
    choice.choice(sorted((folder / "profiles").glob("*.yaml"))).unlink()


def in_site_file(old: str, new: str) -> Edit:
    def edit(folder: Path, choice: random.Random) -> None:
        path = folder / "site.yaml"
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")

    return edit


def added_to_site_file(text: str) -> Edit:
    def edit(folder: Path, choice: random.Random) -> None:
        path = folder / "site.yaml"
        path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")

    return edit


def rules_file(folder: Path, choice: random.Random) -> None:
    """A rule in a file that the site file names, another one each time."""
    text = f"""
- name: full-hall
  quantity: power
  levels: [hall]
  high: {choice.randrange(1, 900)} kW
  deadband: 1 kW
  priority: low
  action: Look at the hall.
"""
    (folder / "rules.yaml").write_text(text, encoding="utf-8")
    path = folder / "site.yaml"
    if "rules.yaml" not in path.read_text(encoding="utf-8"):
        added_to_site_file("alarms: {rules: [rules.yaml]}\n")(folder, choice)
