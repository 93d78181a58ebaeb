"""What several test modules need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings, which are not part of this repository."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("DGMIX_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip("the real recordings are not here; set DGMIX_TEST_DATA to their folder")
    return folder
