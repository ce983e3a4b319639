"""Reading by key whatever it costs: tables of a few rows would always be scanned."""

from __future__ import annotations

import pytest

from activity_aggregates.compute import lookups


def prefer_keys(patched: pytest.MonkeyPatch) -> None:
    """From here on every table that can be read by key is, where earlier runs know of any rows in it."""
    patched.setattr(lookups, "_SCAN_AT_ONCE", -1)
    patched.setattr(lookups, "_SECONDS_PER_KEY", 0.0)
