"""Tries mutants of one module, each in a fork of one warm process that has started Spark and imported what is not ours.

It works in a copy of the checkout, `python -m tests.mutation.forks` in it. From its input it reads one JSON object with
`module` (a path), `tests` (arguments of pytest) and `mutants` (texts). It prints how many seconds the tests take as the
module is, and then what became of each mutant: survived, killed or timeout. One that takes too long may have left Spark
in the middle of something: the process ends with it.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from pyspark import SparkContext, accumulators
from pyspark.sql import SparkSession

OWN = ("activity_aggregates", "jobs", "metrics", "scripts", "tests", "conftest")  # read anew by every fork
SURVIVED, KILLED, TIMEOUT = "survived", "killed", "timeout"
_LONGEST = (4, 10.0)  # times what the tests take without a change, and seconds more
_A_WHILE = 900.0  # seconds
_POLL_SECONDS = 0.01
_NO_PLUGINS = ("cacheprovider", "unraisableexception", "xdist")  # nothing to be kept, collected, shared
_OPTIONS = ("--exitfirst", "--quiet", "--no-header", "--tb=short", *(f"-pno:{name}" for name in _NO_PLUGINS))
_OF_MUTANTS = {
    "spark.python.worker.reuse": "false",
    "spark.sql.codegen.wholeStage": "false",  # what is asked once is not worth compiling
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
_SEEN, _SAID = Path("imported.json"), Path("said")


def main() -> int:
    job = json.load(sys.stdin)
    tests, module = [*_OPTIONS, *job["tests"]], Path(job["module"])
    passed = tried(tests, _A_WHILE, tell_imports) == SURVIVED
    needs_spark = import_all()
    if passed and needs_spark:
        start_spark()
        passed = tried(tests, _A_WHILE) == SURVIVED  # the first time everything is compiled
    gc.freeze()  # no fork has to look at what is here already
    began = time.monotonic()
    if not passed or tried(tests, _A_WHILE) != SURVIVED:
        print(_SAID.read_text("utf-8", errors="replace"), file=sys.stderr)
        return 2
    seconds = time.monotonic() - began
    print(f"{seconds:.1f}", flush=True)
    times, more = _LONGEST
    is_sound = try_all(job["mutants"], module, tests, times * seconds + more, needs_spark)
    if is_sound and tried(tests, _A_WHILE) != SURVIVED:  # then others may have been noticed by what is amiss here
        print(_SAID.read_text("utf-8", errors="replace"), file=sys.stderr)
        return 2
    return 0


def try_all(mutants: Sequence[str], module: Path, tests: Sequence[str], seconds: float, has_spark: bool) -> bool:
    """Print what became of each; returns False after one that took too long with Spark, which is not asked any more."""
    source, written = module.read_text("utf-8"), module.stat().st_mtime_ns
    for number, code in enumerate(mutants, 1):
        module.write_text(code, "utf-8")
        os.utime(module, ns=(written, written + number * 10**9))  # so that no compiled file passes for its own
        outcome = tried(tests, seconds)
        module.write_text(source, "utf-8")
        os.utime(module, ns=(written, written))
        print(outcome, flush=True)
        if outcome == TIMEOUT and has_spark:
            return False
    return True


def start_spark() -> None:
    """A session that every fork finds. Workers of Python are new for each task, for they import the mutant, too."""
    from tests.harness.session import small_session

    small_session(Path("warehouse").absolute(), **_OF_MUTANTS)
    SparkSession.stop = lambda self: None  # type: ignore[method-assign]
    forget()


def forget() -> None:
    """What is of this tree is imported anew by every fork: it may be the mutant."""
    for name in [name for name in sys.modules if name.partition(".")[0] in OWN and name != __name__]:
        del sys.modules[name]


def tried(tests: Sequence[str], seconds: float, after: Callable[[], None] | None = None) -> str:
    """What came of the tests in a fork; where they have passed, `after` is called there."""
    pid = os.fork()
    if pid == 0:
        in_fork(tests, after)
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return SURVIVED if status == 0 else KILLED
        time.sleep(_POLL_SECONDS)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return TIMEOUT


def in_fork(tests: Sequence[str], after: Callable[[], None] | None) -> None:
    """Never returns; what pytest says goes to a file."""
    code = 1
    try:
        with _SAID.open("wb") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
        sys.dont_write_bytecode = after is None
        hear_accumulators()
        code = int(pytest.main(list(tests)))
        if after and not code:
            after()
    finally:
        sys.stdout.flush()
        os._exit(code)


def hear_accumulators() -> None:
    """The thread to which Spark tells what its tasks have counted is not in the fork."""
    context = SparkContext._active_spark_context
    if context is None:
        return
    assert context._jvm is not None
    assert context._gateway is not None
    token = context._gateway.gateway_parameters.auth_token
    host, port = accumulators._start_update_server(token).server_address[:2]
    context._javaAccumulator = context._jvm.PythonAccumulatorV2(host, port, token)
    context._jsc.sc().register(context._javaAccumulator)


def tell_imports() -> None:
    """What the tests have imported that is not of this tree, and whether they have started Spark."""
    names = [name for name, module in list(sys.modules.items()) if getattr(module, "__file__", None)]
    further = [name for name in names if name.partition(".")[0] not in (*OWN, "__main__")]
    _SEEN.write_text(json.dumps([SparkContext._gateway is not None, further]))


def import_all() -> bool:
    """Import it here, once for all forks; returns whether they need Spark."""
    needs_spark, names = json.loads(_SEEN.read_text()) if _SEEN.exists() else (False, [])
    for name in names:
        with suppress(Exception):
            importlib.import_module(name)
    return bool(needs_spark)


if __name__ == "__main__":
    sys.exit(main())
