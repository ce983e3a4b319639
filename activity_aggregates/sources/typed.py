"""The columns of a source in their declared types; what cannot be read as its type refuses its row."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DoubleType, IntegralType, StringType, StructField, TimestampType

from activity_aggregates.sources.declarations import SourceTable, fields
from metrics.refusals import HAS_INVALID_DATE, LATEST_DATE_MS

_TEXT = "string"
_WHOLE = ("tinyint", "smallint", "int", "bigint")
_FRACTIONS = ("float", "double", "decimal")  # pandas makes a double of whole numbers with a null among them
_FRACTION = r"\.0+$"  # of a whole number as a text, as pandas writes it beside a null
_MILLISECONDS = rf"^-?\d{{11,}}({_FRACTION})?$"  # as a text: from 1973 on, so that a day without dashes is none
_SCIENTIFIC = r"^-?\d\.\d+E1[0-8]$"  # as Spark writes a double of that size, also one that it reads in JSON as a text
_NESTED = ("struct", "array", "map")
_LARGEST_EXACT = 2**53  # of a double's whole numbers
_DAY = r"^\s*\d{4}-\d{2}-\d{2}"  # Spark reads a time alone as one of today, and any number as a year
_LONGEST_DAY = LATEST_DATE_MS // 86_400_000  # since 1970, before it and after


def typed(raw: DataFrame, table: SourceTable, *further: str) -> DataFrame:
    """`table.frame_schema` of rows under our names, and `further` columns as they are; what is not there is null."""
    texts = {name: F.col(f"`{name}`").cast(_TEXT) for name, kind in raw.dtypes if kind == "binary"}
    raw = raw.withColumns(texts) if texts else raw
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
    if kind.startswith("array"):
        return F.col(name), F.lit(False)
    if kind != _TEXT:  # as of a column in which all are null
        return F.lit(None).cast("array<string>"), F.col(name).isNotNull()
    entries = F.from_json(name, "array<map<string,string>>")
    return entries, F.col(name).isNotNull() & entries.isNull()


def _read_as(field: StructField, kind: str) -> Column:
    """A column of another type, null where a value cannot be read as the declared one."""
    name, wanted = field.name, field.dataType
    if kind.startswith(_NESTED) or isinstance(wanted, ArrayType):
        return _of_nested(field, kind)
    if isinstance(wanted, TimestampType):
        return instant(name, kind)
    if kind == _TEXT and isinstance(wanted, IntegralType):
        return _whole_number(name, wanted.simpleString())
    if kind.startswith(_FRACTIONS):
        return _of_fraction(field, kind)
    return F.expr(f"try_cast(`{name}` as {wanted.simpleString()})")


def _of_nested(field: StructField, kind: str) -> Column:
    """A list of a JSON text or of anything that has parts; and what has parts, as a JSON text."""
    column, is_nested = F.col(field.name), kind.startswith(_NESTED)
    if isinstance(field.dataType, ArrayType) and (is_nested or kind == _TEXT):
        return F.from_json(F.to_json(column) if is_nested else column, field.dataType.simpleString())
    return F.to_json(column) if isinstance(field.dataType, StringType) else F.lit(None).cast(field.dataType)


def _of_fraction(field: StructField, kind: str) -> Column:
    name, wanted = field.name, field.dataType
    read = F.expr(f"try_cast(`{name}` as {wanted.simpleString()})")
    if isinstance(wanted, IntegralType):
        return F.when(read == F.col(name), read)  # 2.9 is no status, and not 2
    if isinstance(wanted, StringType):
        return _id_of_number(name, kind)
    if isinstance(wanted, DoubleType) and kind == "float":
        return F.expr(f"try_cast(cast(`{name}` as string) as double)")  # 0.7 is not 0.69999999
    return read


def _id_of_number(name: str, kind: str) -> Column:
    """A number as the id that it was before a null beside it made a fraction of all; null where that is not known."""
    number, whole = F.col(name), F.expr(f"try_cast(`{name}` as decimal(38,0))")
    is_exact = F.lit(True) if kind.startswith("decimal") else F.abs(number) < _LARGEST_EXACT
    return F.when(is_exact & (whole == number), whole.cast(_TEXT))


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
        number = F.expr(f"try_cast(`{name}` as double)")
        whole = F.expr(f"try_cast(try_cast(`{name}` as double) as bigint)")
        as_double = F.when(whole == number, _of_milliseconds(whole))
        is_number = F.when(column.rlike(_MILLISECONDS), of_digits).when(column.rlike(_SCIENTIFIC), as_double)
        return is_number.when(column.rlike(_DAY), as_it_says)
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
