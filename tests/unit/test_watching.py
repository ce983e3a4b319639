"""Rules, dashboards and what tries them speak of metrics that there are, with labels that those have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from activity_aggregates.api.edge.figures import figures
from activity_aggregates.store.records import DRY_RUN, RUN, SUCCEEDED, VERIFY
from activity_aggregates.watching.prometheus import State, latest_by_command, registry
from tests.harness.records import left_by_a_killed_run

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "watching"
TESTS = ROOT / "tests" / "tools" / "watching"
FILES = sorted([*FOLDER.iterdir(), *TESTS.glob("*.test.yml")])
SCRAPED = {"instance", "job", "le"}  # labels that Prometheus adds, and that of a histogram's buckets
SUFFIXES = r"(_total|_bucket|_sum|_count)$"
USED = re.compile(r'\b(activity_aggregates_[a-z0-9_]+)\b(?!:)(?:\{((?:[^}"\\]|\\*"[^"\\]*\\*")*)\})?')


def exported() -> dict[str, set[str]]:
    """The labels of every metric, by its name without the suffix that its kind adds."""
    labels = {metric._name: set(metric._labelnames) for metric in vars(figures()).values()}
    began = left_by_a_killed_run()
    counts = {"read.enrolments": 3, "refused.missing_key": 1, "changed.activity_agg": 2, "extra.activity_agg": 2}
    ended = replace(began, counts=counts, phases={"start Spark": 2.0}, finished_at=began.started_at)
    published = replace(ended, command=VERIFY, status=DRY_RUN, counts={"differing_sums": 1})
    runs = [
        replace(ended, command=RUN, status=SUCCEEDED),
        replace(ended, command=VERIFY, status=DRY_RUN),
        published,
    ]
    state = State(latest_by_command(runs), runs[0], began)
    for family in registry(state, {"target": "aggregates"}, began.started_at + timedelta(hours=1)).collect():
        labels[family.name] = {label for sample in family.samples for label in sample.labels}
    return labels


def used(file: Path) -> Iterator[tuple[str, set[str]]]:
    """Metrics without their suffixes, with the labels that they are asked for, as often as they stand in a file."""
    for name, selector in USED.findall(file.read_text("utf-8")):
        asked = set(re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*\\*"', selector))
        yield re.sub(SUFFIXES, "", name) if name.startswith("activity_aggregates_api_") else name, asked


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_what_watches_asks_for_metrics_and_labels_that_there_are(file: Path) -> None:
    known = exported()
    asked = list(used(file))
    assert asked
    for name, labels in asked:
        assert name in known, f"{name} is told by nothing"
        assert labels <= known[name] | SCRAPED, f"{name} has no label {labels - known[name] - SCRAPED}"


def test_the_dashboard_of_the_api_shows_every_metric_of_it() -> None:
    told = {metric._name for metric in vars(figures()).values()}
    assert {name for name, _ in used(FOLDER / "api.dashboard.json")} == told


def test_the_dashboard_of_the_jobs_shows_what_the_newest_file_tells() -> None:
    """Where several machines write one; only the latest of several times is the same without that."""
    panels = json.loads((FOLDER / "jobs.dashboard.json").read_text("utf-8"))["panels"]
    shown = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    newest = re.compile(
        r"and ignoring \([^)]+\) \((\S+) == ignoring \(instance, job\) group_left \(\) max without .+ \(\1\)"
    )
    assert all(newest.search(expr) or re.search(r"max by \([^)]+\) \(\w+_timestamp_seconds\{", expr) for expr in shown)
    (differences,) = (expr for expr in shown if "differing_rows" in expr)
    assert differences.startswith("sum by (target) (max by (target, command, table, kind) (")


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.json")), ids=lambda file: file.name)
def test_the_panels_of_a_dashboard_have_places_of_their_own(file: Path) -> None:
    panels = json.loads(file.read_text("utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24
