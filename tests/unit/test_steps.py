"""What a run says while it works, to a stream that is not a terminal."""

from __future__ import annotations

import io
import json
import re
from typing import Literal

import pytest

from activity_aggregates.protocol.steps import Steps

Format = Literal["auto", "plain", "short", "json"]


def said(form: Format) -> list[str]:
    """The lines of a run with one phase, in which 3 of 1,200 rows were found to differ."""
    out = io.StringIO()
    steps = Steps(form, out)
    with steps("compare activity_agg") as step:
        step.rows = 1200
    steps.say("no group part")
    assert list(steps.seconds) == ["compare activity_agg"]
    return out.getvalue().splitlines()


@pytest.mark.parametrize("form", ["auto", "plain"])
def test_a_phase_tells_the_rows_that_it_compared_and_how_many_differ(form: Format) -> None:
    phase, message = said(form)
    assert re.fullmatch(r"compare activity_agg: [\d.]+ s, 1,200 rows, [\d,]+ rows/s", phase)
    assert message == "no group part"


def test_json_tells_both_as_numbers() -> None:
    phase, message = map(json.loads, said("json"))
    assert (phase["phase"], phase["rows"]) == ("compare activity_agg", 1200)
    assert message["message"] == "no group part"


def test_short_tells_what_concerns_the_run_as_a_whole_only() -> None:
    assert said("short") == ["no group part"]


def test_a_phase_that_fails_is_timed_and_not_told() -> None:
    out = io.StringIO()
    steps = Steps("plain", out)
    with pytest.raises(ZeroDivisionError), steps("divide"):
        _ = 1 / 0
    assert (list(steps.seconds), out.getvalue()) == (["divide"], "")
