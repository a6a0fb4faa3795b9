"""The annotation of each column, which the type checker trusts, agrees with its SQL type."""

import json
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from sqlalchemy import JSON, Column

from referrals.store.schema import metadata

COLUMNS = [
    pytest.param(column, id=f"{table.name}.{column.name}")
    for table in metadata.sorted_tables
    for column in table.c
]


def annotation_of(column: Column[Any]) -> Any:
    """The `T` of `Field[T]`."""
    return get_args(get_type_hints(column.table.info["row"])[column.name])[0]


def value_types_of(annotation: Any) -> set[Any]:
    """The classes of the values that the annotation allows."""
    if get_origin(annotation) is UnionType:
        return {value for part in get_args(annotation) for value in value_types_of(part)}
    if get_origin(annotation) is Literal:
        return {type(value) for value in get_args(annotation)}
    return {get_origin(annotation) or annotation}


@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_allows_null_exactly_if_its_annotation_does(column):
    assert column.nullable == (NoneType in value_types_of(annotation_of(column)))


@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_returns_values_of_its_annotation(column):
    values = value_types_of(annotation_of(column)) - {NoneType}
    if isinstance(column.type, JSON):
        assert values <= {type(json.loads(text)) for text in ("{}", "[]")}
    else:
        assert values == {getattr(column.type, "impl_instance", column.type).python_type}
