"""The jobs in Airflow 3: incremental every hour, full every night, a verification every week, and commands by hand.

Their windows are half-open and explicit, [01:30, 01:30) of two days for the full run. The runs themselves have the
as_of of their start: with an older one, a retry would be superseded by whatever run succeeded meanwhile, and the
night's run would be missing while all looks well. An incremental run looks back to the last success, not to its window,
so none that was missed has to be caught up.

The lease keeps the runs apart, so the DAGs need no pool: one that meets another waits for it with --wait, then gives
way and succeeds; the incremental run gives way at once. What differs between deployments is said by the variables
below, docs/scheduling.md explains them.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.sdk import DAG, BaseHook, Param
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowNotFoundException
from airflow.timetables.interval import CronDataIntervalTimetable

# One release, in which are: what scripts/package built, settings.yaml, and driver/, a virtual environment with
# requirements/job.lock, of Python 3.11 to 3.13. Executors have the same minor version, as EXECUTOR_PYTHON.
DIST = Path(os.environ.get("ACTIVITY_AGGREGATES_DIST", "/opt/activity-aggregates"))
CONF = ["--conf", str(DIST / "settings.yaml")]
EXECUTOR_PYTHON = os.environ.get("ACTIVITY_AGGREGATES_PYTHON", "python3.11")
SPARK = os.environ.get("ACTIVITY_AGGREGATES_SPARK_CONNECTION", "spark_default")  # Spark's master
SECRETS = os.environ.get("ACTIVITY_AGGREGATES_CONNECTION", "activity_aggregates")  # its password, and further secrets
LOG_LEVEL = os.environ.get("ACTIVITY_AGGREGATES_LOG_LEVEL", "WARN")  # of Spark
MAIL = os.environ.get("ACTIVITY_AGGREGATES_MAIL", "")  # who is told of a task that has failed for good
CONNECTOR = "com.datastax.spark:spark-cassandra-connector_2.12:3.5.1"
FINAL = (1, 2)  # exit codes that another attempt will not change: a check failed, wrong arguments or settings

DEFAULTS = {
    "retries": 3,
    "retry_delay": timedelta(minutes=5),
    "on_failure_callback": [SmtpNotifier(to=MAIL, subject="{{ ti.dag_id }} has failed")] if MAIL else [],
}


class Submit(SparkSubmitOperator):  # type: ignore[misc] # Airflow is not installed where types are checked
    """Submits in client mode, where the exit code of the job comes back, and retries only where that may help."""

    def execute(self, context: Any) -> Any:
        """Fail at once on exit codes that are final; after the others Airflow tries again."""
        os.environ.update(secrets())
        try:
            return super().execute(context)
        except AirflowException as error:
            code = re.search(r"Error code is: (\d+)", str(error))
            if code and int(code[1]) in FINAL:
                raise AirflowFailException(f"exit code {code[1]}, which another attempt will not change") from error
            raise


class Command(Submit):
    """Submits the command that the parameters of the run name."""

    def execute(self, context: Any) -> Any:
        self.choose(context["params"])
        return super().execute(context)

    def choose(self, params: Any) -> None:
        """Raises AirflowFailException where the command needs a file and none is named."""
        command, file = params["command"], params["file"]
        if file is None and command != "migrate":
            raise AirflowFailException(f"{command} needs a file: trigger it again and name one in `file`")
        needed = {"backfill": [file], "erase": ["--users-file", file], "migrate": []}[command]
        trial = {"migrate": "--check"}.get(command, "--dry-run")
        self.application = str(DIST / "jobs" / f"{command}.py")
        self.application_args = [*needed, *([trial] if params["dry_run"] else []), *CONF]


def secrets() -> dict[str, str]:
    """The variables that spark-submit inherits; as settings of Spark they would stand in the list of processes.

    Of the connection SECRETS its password, and its extra entries by their names; none where it is not there.
    """
    try:
        connection = BaseHook.get_connection(SECRETS)
    except AirflowNotFoundException:
        return {}
    password = {"CASSANDRA_PASSWORD": connection.password} if connection.password else {}
    return password | {name: str(value) for name, value in connection.extra_dejson.items()}


def submit(task_id: str, operator: type[Submit], *arguments: str) -> Submit:
    """A task that submits jobs/<task_id>.py; a Command chooses another one."""
    return operator(
        task_id=task_id,
        conn_id=SPARK,
        name=f"activity-aggregates {task_id}",
        application=str(DIST / "jobs" / f"{task_id}.py"),
        application_args=[*arguments, *CONF],
        py_files=",".join(str(package) for package in DIST.glob("activity_aggregates-*.zip")),
        archives=f"{DIST / 'env.tar.gz'}#env",
        packages=CONNECTOR,
        deploy_mode="client",
        conf={
            "spark.log.level": LOG_LEVEL,
            "spark.sql.extensions": "com.datastax.spark.connector.CassandraSparkExtensions",
            "spark.executorEnv.PYTHONPATH": "env",
            "spark.pyspark.python": EXECUTOR_PYTHON,
            "spark.pyspark.driver.python": str(DIST / "driver" / "bin" / "python"),
        },
    )


def scheduled(name: str, cron: str, hours: int, entry: str, *arguments: str) -> DAG:
    """A DAG of one task, whose window is the interval between two ticks of `cron` in UTC; an attempt has `hours`."""
    with DAG(
        dag_id=f"activity_aggregates_{name}",
        schedule=CronDataIntervalTimetable(cron, timezone="UTC"),
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,  # one run does the work of all that were missed
        max_active_runs=1,
        default_args=DEFAULTS | {"execution_timeout": timedelta(hours=hours)},
        tags=["activity-aggregates"],
    ) as made:
        submit(entry, Submit, *arguments)
    return made


incremental = scheduled("incremental", "10 * * * *", 3, "run", "--incremental")
full = scheduled("full", "30 1 * * *", 8, "run", "--wait", "3600")
verification = scheduled("verify", "30 4 * * 0", 8, "verify", "--wait", "3600")

with DAG(
    dag_id="activity_aggregates_command",
    schedule=None,
    max_active_runs=1,
    default_args=DEFAULTS | {"execution_timeout": timedelta(hours=24)},
    params={
        "command": Param("backfill", enum=["backfill", "erase", "migrate"]),
        "file": Param(None, type=["null", "string"], description="a record of a backfill, or learners to erase"),
        "dry_run": Param(True, type="boolean", description="show what would be done, and write nothing"),
    },
    tags=["activity-aggregates"],
) as command:
    submit("command", Command)
