"""A client that is generated from the OpenAPI document, as a client developer would: what it is answered has types."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from activity_aggregates.api.examples import COURSE, GROUP
from tests.harness.api import Api

NAME = "generated_client"


@pytest.fixture(scope="module")
def client(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    folder = tmp_path_factory.mktemp("generated")
    document = f"{api.client.base_url}/openapi.json"
    generate = [sys.executable, "-m", "openapi_python_client", "generate", "--url", document]
    generate += ["--output-path", str(folder / NAME), "--meta", "none", "--fail-on-warning"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # it calls ruff
    done = subprocess.run(generate, env={**os.environ, "PATH": path}, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(folder))
        yield importlib.import_module(NAME)


def test_a_generated_client_asks_and_has_typed_answers(api: Api, client: ModuleType) -> None:
    models = importlib.import_module(f"{NAME}.models")
    ask = importlib.import_module(f"{NAME}.api.groups.group_activity")
    asked = client.AuthenticatedClient(base_url=str(api.client.base_url), token=api.keys.token("u1"))
    query = models.ActivityQuery(group_id=GROUP, activity_id=COURSE, activity_type="Course", fields=["members"])
    answer = ask.sync(client=asked, body=models.ActivityBody(request=query))
    assert type(answer) is models.EnvelopeActivityResult
    members = answer.result.activity.members
    assert [(type(member), member.id) for member in members] == [
        (models.MemberAggregates, "5a5ab4e3"),
        (models.MemberAggregates, "u1"),
    ]
    assert {entry.metric: entry.value for entry in members[1].agg} == {"completed": 1, "completedCount": 2}


def test_a_refusal_is_typed_too(api: Api, client: ModuleType) -> None:
    models = importlib.import_module(f"{NAME}.models")
    ask = importlib.import_module(f"{NAME}.api.groups.group_aggregates")
    asked = client.AuthenticatedClient(base_url=str(api.client.base_url), token=api.keys.token("an-outsider"))
    answer = ask.sync(client=asked, body=models.GroupBody(request=models.GroupQuery(group_id=GROUP)))
    assert type(answer) is models.EnvelopeNothing
    assert (answer.params.err, answer.response_code) == ("FORBIDDEN", "FORBIDDEN")
