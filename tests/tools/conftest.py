"""The tools of `scripts/kubernetes`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from scripts.embedded.paths import CHECKOUT


@pytest.fixture(scope="session")
def kubernetes_tools() -> Path:
    """Their folder: `scripts/test kubernetes` fetches them, and every later run finds them."""
    if folder := os.environ.get("KUBERNETES_TOOLS"):
        return Path(folder)
    find: list[str | Path] = [CHECKOUT / "scripts" / "kubernetes", "--present"]
    present = subprocess.run(find, capture_output=True, text=True, check=False)
    if present.returncode:
        pytest.skip("helm is not there yet: `scripts/test kubernetes` builds it, and this runs from then on")
    return Path(present.stdout.strip())
