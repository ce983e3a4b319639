"""Where things lie: the checkout, the cache that survives a clean checkout, the data of the embedded Cassandra."""

from __future__ import annotations

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("ACTIVITY_AGGREGATES_CACHE") or CHECKOUT / ".cache").resolve()
INSTANCES = CHECKOUT / ".cassandra"
