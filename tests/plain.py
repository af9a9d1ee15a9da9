"""Tests that need plain Python."""

import pytest

from dcops.compiled import is_compiled

replaces_methods = pytest.mark.skipif(
    is_compiled(), reason="puts another method in the place of one, which compiled code does not look for"
)
