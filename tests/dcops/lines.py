"""What a command printed."""

import pytest


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Its lines on stdout since the last look."""
    return capsys.readouterr().out.splitlines()
