"""Which entries of metadata are numbers: those that the settings say are counted."""

from __future__ import annotations

import pytest

from activity_aggregates.api.answering.known import numbers_of_metadata
from activity_aggregates.configuration import flag_values, load


@pytest.mark.parametrize(
    ("fields", "numbers"),
    [
        ("{}", {"leafNodesCount"}),
        ("{leafNodesCount: null, leaves: leafNodesCount}", {"leaves"}),
        ("{leafNodesCount: depth}", set()),
        ("null", set()),
    ],
)
def test_an_entry_is_a_number_where_its_attribute_is_counted(fields: str, numbers: set[str]) -> None:
    assert numbers_of_metadata(load(None, {}, flag_values([f"metadata.fields={fields}"])).settings) == numbers
