"""Functions of Arrow batches, applied to DataFrames without pandas."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pyspark.rdd import PythonEvalType
from pyspark.sql import DataFrame
from pyspark.sql.types import StructType
from pyspark.sql.udf import UserDefinedFunction


def map_in_arrow(rows: DataFrame, function: Callable[[Any], Iterable[Any]], schema: StructType | str) -> DataFrame:
    """`rows.mapInArrow(function, schema)`, which in PySpark 3.5 refuses to work where pandas is not installed.

    Neither the plan nor the workers use pandas: only the way to the function, `pandas_udf`, asks for it. Without it
    what travels to executors is a quarter smaller.
    """
    mapped = UserDefinedFunction(function, schema, evalType=PythonEvalType.SQL_MAP_ARROW_ITER_UDF)
    column = mapped(*(rows[name] for name in rows.columns))
    return DataFrame(rows._jdf.pythonMapInArrow(column._jc.expr(), False), rows.sparkSession)
