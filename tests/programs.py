"""Programs beside Python that some tests run; ``scripts/test-setup`` installs them."""

from __future__ import annotations

import os
import shutil

import pytest


def needed(program: str) -> str:
    """Return the path of ``program``. Without it the test is skipped with a word, and fails in CI."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if found is None:
        message = f"{program} is not installed: scripts/test-setup does it"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found
