"""Fixtures of the tests of single rules."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.harness.files import Opens, opener


@pytest.fixture
def opens(spark: SparkSession, tmp_path: Path) -> Opens:
    return opener(spark, tmp_path)
