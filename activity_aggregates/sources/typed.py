"""The columns of a source in their declared types; what cannot be read as its type refuses its row."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, IntegralType, StructField, TimestampType

from activity_aggregates.sources.declarations import SourceTable, fields
from metrics.refusals import HAS_INVALID_DATE, LATEST_DATE_MS

_TEXT = "string"
_WHOLE = ("tinyint", "smallint", "int", "bigint")
_FRACTIONS = ("float", "double", "decimal")  # pandas makes a double of whole numbers with a null among them
_FRACTION = r"\.0+$"  # of a whole number as a text, as pandas writes it beside a null
_MILLISECONDS = rf"^-?\d{{11,}}({_FRACTION})?$"  # as a text: from 1973 on, so that a day without dashes is none
_DAY = r"^\s*\d{4}-\d{2}-\d{2}"  # Spark reads a time alone as one of today, and any number as a year
_LONGEST_DAY = LATEST_DATE_MS // 86_400_000  # since 1970, before it and after


def typed(raw: DataFrame, table: SourceTable, *further: str) -> DataFrame:
    """`table.frame_schema` of rows under our names, and `further` columns as they are; what is not there is null."""
    kinds = dict(raw.dtypes)
    readable: dict[str, Column] = {}
    unreadable: dict[str, Column] = {}
    for field in fields(table):
        name, kind = field.name, kinds.get(field.name)
        if kind is None:
            readable[name] = F.lit(None).cast(field.dataType)
        elif name in table.counted:
            entries, unreadable[name] = _entries(name, kind)
            readable[name] = F.when(entries.isNull(), 0).otherwise(F.size(F.array_compact(entries)))
        elif kind == field.dataType.simpleString():
            readable[name] = F.col(name)
        else:
            readable[name] = _read_as(field, kind)
            unreadable[name] = F.col(name).isNotNull() & readable[name].isNull()
    others = [holds for name, holds in unreadable.items() if name not in table.dates]
    if others and table.refused_by:
        name, value = table.refused_by
        readable[name] = F.when(_any(others), F.expr(value)).otherwise(readable[name])
    if table.dates:
        dates = [unreadable.get(name, _is_beyond(F.col(name))) for name in table.dates if name in kinds]
        readable[HAS_INVALID_DATE] = _any(dates)
    return raw.select(*(value.alias(name) for name, value in readable.items()), *further)


def _entries(name: str, kind: str) -> tuple[Column, Column]:
    """A list, and whether it is a text that is not one."""
    if kind != _TEXT:
        return F.col(name), F.lit(False)
    entries = F.from_json(name, "array<map<string,string>>")
    return entries, F.col(name).isNotNull() & entries.isNull()


def _read_as(field: StructField, kind: str) -> Column:
    """A column of another type, null where a value cannot be read as the declared one."""
    column = F.col(field.name)
    if isinstance(field.dataType, ArrayType):
        return F.from_json(column if kind == _TEXT else F.to_json(column), field.dataType.simpleString())
    if isinstance(field.dataType, TimestampType):
        return instant(field.name, kind)
    if kind == _TEXT and isinstance(field.dataType, IntegralType):
        return _whole_number(field.name, field.dataType.simpleString())
    read = F.expr(f"try_cast(`{field.name}` as {field.dataType.simpleString()})")
    if kind.startswith(_FRACTIONS) and isinstance(field.dataType, IntegralType):
        return F.when(read == column, read)  # 2.9 is no status, and not 2
    return read


def _whole_number(name: str, kind: str) -> Column:
    """A text as a whole number, null where it is not one."""
    return F.expr(f"try_cast(regexp_replace(`{name}`, r'{_FRACTION}', '') as {kind})")


def instant(name: str, kind: str) -> Column:
    """A column as points in time, null where it is not one: numbers, and texts of digits, are epoch milliseconds."""
    column, as_it_says = F.col(f"`{name}`"), F.expr(f"try_cast(`{name}` as timestamp)")
    if kind.startswith((*_WHOLE, *_FRACTIONS)):
        return _of_milliseconds(F.expr(f"try_cast(`{name}` as bigint)"))
    if kind == _TEXT:
        of_digits = _of_milliseconds(_whole_number(name, "bigint"))
        return F.when(column.rlike(_MILLISECONDS), of_digits).when(column.rlike(_DAY), as_it_says)
    if kind == "date":  # of which some are beyond every point in time
        return F.when(F.unix_date(column).between(-_LONGEST_DAY, _LONGEST_DAY), as_it_says)
    return as_it_says if kind == "timestamp" else F.when(~_is_beyond(as_it_says), as_it_says)


def _of_milliseconds(number: Column) -> Column:
    return F.timestamp_millis(F.when(number.between(-LATEST_DATE_MS, LATEST_DATE_MS), number))


def _is_beyond(date: Column) -> Column:
    """Whether a point in time is beyond what is accepted.

    Spark's connector fails on most of those, but only where the column is read: asking here reads it whatever is done
    with it later, so that the same rows are refused in every run.
    """
    latest = LATEST_DATE_MS * 1000
    return F.coalesce(~F.unix_micros(date).between(-latest, latest), F.lit(False))


def _any(conditions: list[Column]) -> Column:
    return reduce(lambda one, other: one | other, conditions, F.lit(False))
