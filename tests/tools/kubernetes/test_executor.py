"""What the image does where Spark on Kubernetes asks it for an executor: it works for a driver, in Python too.

There is no Kubernetes here. The driver is a real one whose own cluster has no room for executors, so that the only one
is started as a container would be: with the argument, and the variables, that Spark gives to its pods.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.embedded.paths import CHECKOUT
from tests.harness.processes import SHORT_LIVED

ENTRYPOINT = CHECKOUT / "deploy" / "container" / "entrypoint"
DRIVER = """
import json, os
from pyspark.sql import SparkSession

spark = (
    SparkSession.builder.master("local-cluster[1,1,512]")
    .config("spark.executor.cores", "2").config("spark.executor.memory", "512m")
    .config("spark.driver.host", "127.0.0.1").config("spark.ui.enabled", "false").getOrCreate()
)
print(json.dumps(dict(spark.sparkContext.getConf().getAll())), flush=True)

def seen(batches):
    import activity_aggregates.writing.apply, pyarrow
    yield from (pyarrow.RecordBatch.from_pydict({"executor": [os.environ["SPARK_EXECUTOR_ID"]]}) for _ in batches)

print(json.dumps(spark.range(1).mapInArrow(seen, "executor string").first().asDict()), flush=True)
"""


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A driver that says its settings, waits for an executor, and then asks it who it is."""
    environment = dict(os.environ, PYSPARK_PYTHON=sys.executable, SPARK_WORKER_DIR=str(tmp_path))
    command = [sys.executable, "-c", DRIVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=CHECKOUT, text=True) as process:
        yield process
        process.terminate()


def test_the_image_is_an_executor_of_a_driver_that_has_no_other(driver: subprocess.Popen[str], tmp_path: Path) -> None:
    assert driver.stdout
    variables = as_spark_gives_them(json.loads(driver.stdout.readline()))
    with subprocess.Popen([ENTRYPOINT, "executor"], env=variables, cwd=tmp_path) as executor:
        threading.Thread(target=end_with, args=(executor, driver)).start()
        told = driver.stdout.readline()
        executor.terminate()
    assert json.loads(told) == {"executor": "7"}


def end_with(executor: subprocess.Popen[bytes], driver: subprocess.Popen[str]) -> None:
    """A driver would wait for ever for another executor."""
    executor.wait()
    driver.terminate()


def as_spark_gives_them(conf: dict[str, str]) -> dict[str, str]:
    """The variables of a pod, for a driver with these settings."""
    java = [*shlex.split(conf["spark.executor.extraJavaOptions"]), *SHORT_LIVED.split()]
    options = {f"SPARK_JAVA_OPT_{number}": option for number, option in enumerate(java)}
    return options | {
        "PATH": f"{Path(sys.executable).parent}:{os.defpath}",
        "PYTHONPATH": str(CHECKOUT),  # in the image the package is installed
        "JAVA_HOME": os.environ["JAVA_HOME"],
        "SPARK_DRIVER_URL": f"spark://CoarseGrainedScheduler@127.0.0.1:{conf['spark.driver.port']}",
        "SPARK_APPLICATION_ID": conf["spark.app.id"],
        "SPARK_EXECUTOR_ID": "7",
        "SPARK_EXECUTOR_CORES": "2",
        "SPARK_EXECUTOR_MEMORY": "512m",
        "SPARK_EXECUTOR_POD_IP": "127.0.0.1",
        "SPARK_EXECUTOR_POD_NAME": "exec-7",
        "SPARK_RESOURCE_PROFILE_ID": "0",
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
