"""Run by Airflow's own Python: parses the folder of DAGs and tells what it found, or executes the task of one DAG.

usage: airflow_tasks.py DAGS OUT            writes {errors, windows, limits, callbacks, commands} as JSON
       airflow_tasks.py DAGS OUT DAG_ID     writes the name of the exception that its task ends with
       airflow_tasks.py DAGS OUT DAG_ID PARAMS      the same, with parameters as JSON
       airflow_tasks.py DAGS OUT --job FILE         writes the Job that the task of a DAG file asks Kubernetes for
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

START = datetime(2026, 2, 1, tzinfo=UTC)
PARAMS = {"command": "migrate", "file": None, "dry_run": False}


def main(folder: str, out: str, dag_id: str | None = None, params: str = json.dumps(PARAMS)) -> None:
    from airflow.dag_processing.dagbag import DagBag  # there is no Airflow where this module is only imported

    found: Any
    if dag_id == "--job":
        found = job(DagBag(params))
    else:
        bag = DagBag(folder)
        found = outcome(bag.dags[dag_id].tasks[0], json.loads(params)) if dag_id else parsed(bag)
    Path(out).write_text(json.dumps(found))


def parsed(bag: Any) -> dict[str, Any]:
    return {
        "errors": bag.import_errors,
        "windows": {name: window(dag.timetable) for name, dag in bag.dags.items() if dag.timetable.can_be_scheduled},
        "limits": {
            name: task.execution_timeout.total_seconds() for name, dag in bag.dags.items() for task in dag.tasks
        },
        "callbacks": {name: told(task) for name, dag in bag.dags.items() for task in dag.tasks},
        "commands": {name: command(task) for name, dag in bag.dags.items() for task in dag.tasks},
    }


def window(timetable: Any) -> list[str]:
    """The window that a run started by hand at START would get: the last one that is over."""
    import pendulum

    interval = timetable.infer_manual_data_interval(run_after=pendulum.instance(START))
    return [interval.start.isoformat(), interval.end.isoformat()]


def told(task: Any) -> list[str]:
    """Who is told when the task has failed for good."""
    return [recipient for notifier in task.on_failure_callback for recipient in [notifier.to]]


def command(task: Any) -> list[str]:
    """What the task would start for a window that ends at START; one with parameters, to migrate."""
    task.render_template_fields({"data_interval_end": START})
    if hasattr(task, "choose"):
        task.choose(PARAMS)
    return list(task._get_hook()._build_spark_submit_command(task.application))


def job(bag: Any) -> Any:
    """The manifest that the one task of the one DAG asks for."""
    from kubernetes.client import ApiClient

    (dag,) = bag.dags.values()
    (task,) = dag.tasks
    return ApiClient().sanitize_for_serialization(task.build_job_request_obj())


def outcome(task: Any, params: dict[str, Any]) -> str:
    from airflow.sdk.exceptions import AirflowException

    try:
        task.execute({"params": params})
    except AirflowException as error:
        return type(error).__name__
    return "success"


if __name__ == "__main__":
    main(*sys.argv[1:])
