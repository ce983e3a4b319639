"""`run`: aggregates everything, what has changed, or a scope; what spark-submit starts from a checkout."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])  # the checkout: this folder would shadow its packages
    from jobs.__main__ import main

    sys.exit(main(["run", *sys.argv[1:]]))
