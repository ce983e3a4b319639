"""What cron and systemd start is a command that there is, and exit codes that need a person are the same to all."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from activity_aggregates.layers import default_layer
from jobs.__main__ import command_of, parser_of

DEPLOY = Path(__file__).parents[2] / "deploy"
EVERY = {"run --wait 3600", "run --incremental", "verify --wait 3600"}


def of_cron() -> set[str]:
    lines = (DEPLOY / "cron" / "activity-aggregates").read_text().splitlines()
    return {line.split("$JOB ")[1] for line in lines if "$JOB " in line}


def of_systemd() -> set[str]:
    arguments = {file.read_text().strip().removeprefix("ARGUMENTS=") for file in (DEPLOY / "systemd").glob("*.conf")}
    unit = (DEPLOY / "systemd" / "activity-aggregates@.service").read_text()
    (start,) = re.findall(r"^ExecStart=\S+/activity-aggregates (.+)$", unit, re.MULTILINE)
    return {start.replace("$ARGUMENTS", given) for given in arguments}


def of_kubernetes() -> set[str]:
    schedules = yaml.safe_load((DEPLOY / "kubernetes" / "values.yaml").read_text())["job"]["schedules"]
    return {shlex.join([*schedule["arguments"], "--conf", "settings.yaml"]) for schedule in schedules.values()}


@pytest.mark.parametrize("lines", [of_cron(), of_systemd(), of_kubernetes()], ids=["cron", "systemd", "kubernetes"])
def test_what_is_scheduled_can_be_read_and_is_the_same_everywhere(lines: set[str]) -> None:
    for line in lines:
        command, *arguments = shlex.split(line)
        parser_of(command, command_of([command])).parse_args(arguments)
    assert {line.split(" --conf ")[0] for line in lines} == EVERY


def test_every_timer_has_arguments() -> None:
    timers = {file.stem.partition("@")[2] for file in (DEPLOY / "systemd").glob("*.timer")}
    assert timers == {file.stem for file in (DEPLOY / "systemd").glob("*.conf")}


def test_all_schedulers_take_the_same_exit_codes_for_final() -> None:
    codes = {
        "airflow": re.search(r"^FINAL = \((.+?)\)", of("airflow/activity_aggregates_dags.py"), re.MULTILINE),
        "systemd": re.search(
            r"^RestartPreventExitStatus=(.+)$", of("systemd/activity-aggregates@.service"), re.MULTILINE
        ),
        "kubernetes": re.search(r"action: FailJob\n.+values: \[(.+)\]", of("kubernetes/templates/_pods.tpl")),
    }
    final = {name: re.findall(r"\b[12]\b", found[1]) for name, found in codes.items() if found}
    assert final == {name: ["1", "2"] for name in ("airflow", "systemd", "kubernetes")}


def test_systemd_bounds_the_attempts_between_two_starts_by_a_timer_however_long_they_take() -> None:
    assert "\nRestart=" not in of("systemd/activity-aggregates@.service"), "an instance without a limit of its own"
    drop_ins = {path.parent.name: path.read_text() for path in (DEPLOY / "systemd").glob("*.service.d/*.conf")}
    limits = re.compile(r"^StartLimitIntervalSec=(.+)\nStartLimitBurst=(\d)\n\n\[Service\]\nRestart=on-failure$", re.M)
    assert {name: limits.findall(text) for name, text in drop_ins.items()} == {
        "activity-aggregates@full.service.d": [("23h", "4")],
        "activity-aggregates@verify.service.d": [("6d", "4")],
    }


def test_systemd_repeats_no_run_that_was_stopped_or_has_taken_too_long() -> None:
    """A unit whose time was up has failed with the exit code of a run that was interrupted."""
    assert "\nRestartPreventExitStatus=1 2 130\n" in of("systemd/activity-aggregates@.service")


def of(name: str) -> str:
    return (DEPLOY / name).read_text()


@pytest.mark.parametrize("folder", ["container", "api"])
def test_what_a_container_copies_and_sets_is_there(folder: str) -> None:
    text = of(f"{folder}/Containerfile")
    sources = [word for line in re.findall(r"^COPY (.+)$", text, re.MULTILINE) for word in line.split()[:-1]]
    assert [source for source in sources if not (DEPLOY.parent / source).exists()] == []
    variables = re.findall(r"ACTIVITY_AGGREGATES__(\w+)=", text)
    assert {tuple(name.lower().split("__")) for name in variables} <= set(default_layer())
