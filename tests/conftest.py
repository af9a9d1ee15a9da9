"""What is looked at before any test runs."""

import pytest

from dcops import compiled


def pytest_configure() -> None:
    if words := compiled.outdated():
        raise pytest.UsageError(words)
