"""Run by Airflow's own Python: parses the folder of DAGs and tells what it found, or executes the task of one DAG.

usage: airflow_tasks.py DAGS OUT            writes {errors, windows, commands} as JSON
       airflow_tasks.py DAGS OUT DAG_ID     writes the name of the exception that its task ends with
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

START = datetime(2026, 2, 1, tzinfo=UTC)


def main(folder: str, out: str, dag_id: str | None = None) -> None:
    from airflow.dag_processing.dagbag import DagBag  # there is no Airflow where this module is only imported

    bag = DagBag(folder)
    found = outcome(bag.dags[dag_id].tasks[0]) if dag_id else parsed(bag)
    Path(out).write_text(json.dumps(found))


def parsed(bag: Any) -> dict[str, Any]:
    return {
        "errors": bag.import_errors,
        "windows": {name: window(dag.timetable) for name, dag in bag.dags.items()},
        "commands": {name: command(task) for name, dag in bag.dags.items() for task in dag.tasks},
    }


def window(timetable: Any) -> list[str]:
    """The window that a run started by hand at START would get: the last one that is over."""
    import pendulum

    interval = timetable.infer_manual_data_interval(run_after=pendulum.instance(START))
    return [interval.start.isoformat(), interval.end.isoformat()]


def command(task: Any) -> list[str]:
    """What the task would start for a window that ends at START."""
    task.render_template_fields({"data_interval_end": START})
    return list(task._get_hook()._build_spark_submit_command(task.application))


def outcome(task: Any) -> str:
    from airflow.sdk.exceptions import AirflowException

    try:
        task.execute({})
    except AirflowException as error:
        return type(error).__name__
    return "success"


if __name__ == "__main__":
    main(*sys.argv[1:])
