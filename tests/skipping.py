"""What a test needs and does not find: CI must have everything, a machine of one's own need not."""

import os

import pytest


def skip_unless_ci(reason: str) -> None:
    """Skip the test with one line of why; in CI it fails."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)  # the only skip besides that of real data: a program that this machine may lack
