"""docs/api.md: every example in it runs, and its table has every refusal."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from activity_aggregates.api.edge import refusals
from activity_aggregates.api.edge.refusals import Refusal
from activity_aggregates.api.examples import BATCH, COURSE, GROUP, LEARNER
from tests.harness.api import Api

GUIDE = (Path(__file__).parents[3] / "docs" / "api.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.+?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def variables(api: Api) -> dict[str, str]:
    """What the examples name, for a member of the group of the examples."""
    return {
        **os.environ,
        "API": str(api.client.base_url),
        "TOKEN": api.keys.token(LEARNER),
        "SERVICE_TOKEN": api.keys.token("a-service", scope="aggregates:read"),
        "GROUP": GROUP,
        "COURSE": COURSE,
        "CONTEXT": BATCH,
        "LEARNER": LEARNER,
    }


def run(command: list[str], variables: dict[str, str]) -> str:
    return subprocess.run(command, env=variables, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.parametrize("example", blocks("bash"))
def test_an_example_for_a_shell_is_answered(example: str, variables: dict[str, str]) -> None:
    assert json.loads(run(["bash", "-c", example], variables))["responseCode"] == "OK"


@pytest.mark.parametrize("example", blocks("python"))
def test_an_example_in_python_runs(example: str, variables: dict[str, str]) -> None:
    printed = run([sys.executable, "-c", example], variables)
    assert printed.splitlines() == [f"{LEARNER} None not enrolled", "u1 Asha Bose not enrolled"]


def test_there_are_examples_of_both() -> None:
    assert (len(blocks("bash")), len(blocks("python"))) == (5, 1)


def test_the_table_has_every_refusal_with_its_words() -> None:
    table = re.findall(r"^\| (\d{3}) \| (\w+) \| (\w+) \| (.+) \|$", GUIDE, re.MULTILINE)
    told = {(int(status), code, err, errmsg) for status, code, err, errmsg in table}
    known = [value for value in vars(refusals).values() if isinstance(value, Refusal)]
    known = [*(refusal for refusal in known if refusal is not refusals.NOT_HTTP), refusals.too_large(65536)]
    assert {(each.status, each.response_code, each.err, each.errmsg) for each in known} == {
        row for row in told if row[2] != "INVALID_REQUESTED_DATA"
    }
