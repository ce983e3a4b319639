"""Options of the histories on the twin."""

from __future__ import annotations

import pytest

from tests.protocol.platform import Platform


@pytest.fixture
def platform() -> Platform:
    return Platform()
