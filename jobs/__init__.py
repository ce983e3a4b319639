"""One file per command: they read, call and write, and compute nothing themselves."""

import sys

_PYTHONS = ((3, 11), (3, 13))  # the oldest and the newest, as in pyproject.toml

# Whoever starts a file with spark-submit has no installer that would have refused another Python.
if not _PYTHONS[0] <= sys.version_info[:2] <= _PYTHONS[1]:
    sys.stderr.write(
        "activity-aggregates: this is Python {}.{}: start it with Python 3.11, 3.12 or 3.13, "
        "under spark-submit with --conf spark.pyspark.python=python3.11\n".format(*sys.version_info)
    )
    sys.exit(2)
