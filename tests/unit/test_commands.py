"""The command line as its user meets it, up to where a command begins its work."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.__main__ import COMMANDS, PROGRAM, command_of, main, parser_of
from tests.harness.processes import shown_settings

ROOT = Path(__file__).parents[2]


def said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The sentence with which a command line is refused."""
    assert main(arguments) == 2
    return capsys.readouterr().err.removeprefix(f"{PROGRAM}: ").rstrip()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_in_the_help_of_a_command_are_right_and_its_exit_codes_stand_below(name: str) -> None:
    command = command_of([name])
    parser = parser_of(name, command)
    for example in command.EXAMPLES:
        called, *arguments = shlex.split(example.partition(" > ")[0])
        assert called == name
        parser.parse_args(arguments)
    assert len(command.EXAMPLES) >= 3
    assert "\nexamples:\n" in parser.format_help()
    assert "\n  130  interrupted" in parser.format_help()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_file_of_the_checkout_starts_its_command_from_anywhere(name: str, tmp_path: Path) -> None:
    """By an interpreter that has the packages and knows nothing of the checkout: no `.pth` is read from PYTHONPATH."""
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path.endswith("site-packages"))}
    called = [os.path.realpath(sys.executable), str(ROOT / "jobs" / f"{name}.py"), "--help"]
    ended = subprocess.run(called, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ended.stdout.startswith(f"usage: {PROGRAM} {name}"), ended.stderr


# Prints the exit code and the error of each command's `--help`, where no package of an extra can be imported.
_WITHOUT_EXTRAS = """
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from jobs.__main__ import COMMANDS, main

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("fastapi", "jinja2", "numpy", "py4j", "pyarrow", "pyspark", "uvicorn"):
            raise ModuleNotFoundError(name=name)

sys.meta_path.insert(0, Missing())
for name in COMMANDS:
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()) as errors:
        try:
            code = main([name, "--help"])
        except SystemExit as ended:
            code = ended.code
    print(name, code, errors.getvalue().strip())
"""


def test_an_installation_without_extras_says_of_each_command_what_it_lacks() -> None:
    called = [sys.executable, "-c", _WITHOUT_EXTRAS]
    ended = subprocess.run(called, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = ended.stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(COMMANDS), ended.stderr
    lacking = {line for line in lines if not line.endswith(" 0 ")}
    assert all(" 2 " in line and ", which is not installed: install " in line for line in lacking), lines
    assert "config 0 " in lines


@pytest.mark.parametrize("name", ["runs", "report", "config", "migrate", "serve"])
def test_a_command_that_computes_nothing_does_not_wait_for_spark(name: str) -> None:
    code = (
        f"import sys; from jobs.__main__ import command_of; command_of([{name!r}]); sys.exit('pyspark' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(
    "arguments", [["run", "--user", "\udcff"], ["config", "show", "--set", "\udcff=1"], ["\udcff"]]
)
def test_an_argument_that_is_no_text_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert "is not UTF-8: write it as UTF-8" in said(arguments, capsys)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "--resume", ""], "--resume '' names nothing: give an id"),
        (["run", "--as-of", ""], "'' is not an instant: write 2026-01-31T06:00:00Z or 2026-01-31"),
        (["runs", "--limit", "9" * 30], f"argument --limit: {'9' * 30} is not a number of runs"),
        (["config", "show", "--set", "a\nb=1"], r"--set 'a\nb=1' is not an assignment: write --set section.key=value"),
    ],
)
def test_a_value_that_names_nothing_is_not_taken_for_a_flag_that_is_left_out(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(arguments, capsys).startswith(sentence)


@pytest.mark.parametrize(
    "line", ["run --dry", "run --incr", "erase --us leavers.txt", "verify --max 3", "runs --js", "config show --con x"]
)
def test_a_flag_is_not_abbreviated(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    command, *arguments = line.split()
    assert f"see `{PROGRAM} {command} --help`" in said([command, *arguments], capsys)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("run --wait -1", "--wait: -1 is not a time to wait: give seconds, 0 or more"),
        ("run --wait soon", "--wait: soon is not a time to wait: give seconds, 0 or more"),
        ("run --wait inf", "--wait: inf is not a time to wait: give seconds, 0 or more"),
        ("runs --limit -1", "--limit: -1 is not a number of runs: give a whole number, 1 or more"),
        ("verify --sample 2", "--sample: 2 is not a share: give a number above 0 and up to 1"),
        (
            "verify --max-differences 0.5",
            "--max-differences: 0.5 is not a number of rows: give a whole number, 0 or more",
        ),
    ],
)
def test_a_number_that_makes_no_sense_is_told_in_a_sentence(
    line: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(line.split(), capsys).startswith(f"argument {sentence}: see `{PROGRAM} ")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("", "a command is missing"),
        ("rum", "rum is not a command; the nearest is run"),
        ("rnu", "rnu is not a command; the nearest is run"),
        ("run --dryrun", "unrecognized arguments: --dryrun; the nearest is --dry-run: see `activity-aggregates run"),
        ("config show --con x", "unrecognized arguments: --con x; the nearest is --conf"),
        ("status", "status is not a command; there are run, backfill, verify, erase"),
        (
            "run --resume last --dry-run --user u1",
            "goes on with what that run staged: leave out the scope (1 learner), --dry-run",
        ),
        ("run --incremental --context cb:b1", "the scope (cb:b1) and --incremental name different parts"),
        ("run --incremental --changed pairs.csv", "--changed pairs.csv and --incremental name different parts"),
        ("run --changed no/pairs.csv", "--changed no/pairs.csv cannot be read (No such file or directory): name a CSV"),
        (
            "runs last --limit 3 --json --prometheus x.prom",
            "--prometheus x.prom writes the metrics and nothing else: leave out last, --limit 3, --json",
        ),
        ("runs last --limit 3", "last is one run, and --limit 3 is how many of the newest: leave out one of them"),
        ("verify --published --repair", "--published adds up what is published"),
        ("export activity_usr_agg --out x", "activity_usr_agg is not a table; the nearest is activity_user_agg"),
        ("export learners --out x", "learners is not a table; there are activity_user_agg, activity_agg,"),
        ("export activity_agg", "the following arguments are required: --out"),
        ("export activity_agg --out x --format xml", "invalid choice: 'xml' (choose from 'parquet', 'csv')"),
        ("export activity_agg --out x --context b1", "--context 'b1' is not a context: write cb:<batch id>"),
        ("export activity_agg --out x --activity TextBook:c1", "'TextBook:c1' is of no known type"),
        ("export group_activity_agg --out x --activity :c1", "':c1' is of no type: write TYPE:ID"),
        (
            "export group_activity_agg --out x --context cb:b1",
            "--context restricts rows of contexts, and group_activity",
        ),
        ("export activity_catalog --out x --dates", "--dates are those of metrics, and activity_catalog has none"),
        (
            "export activity_day_agg --out x --set metrics.families=[completion]",
            "activity_day_agg has no metric that is on: switch on its family in metrics.families",
        ),
    ],
)
def test_a_command_line_that_cannot_be_meant_is_refused(
    line: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sentence in said(line.split(), capsys)


def test_who_reads_only_the_first_lines_sees_nothing_else(tmp_path: Path) -> None:
    """The reader is gone before the command has said anything."""
    read, write = os.pipe()
    os.close(read)
    assert shown_settings(write, tmp_path) == (0, "")


def started(
    line: str, environment: dict[str, str], stream: int = subprocess.PIPE
) -> subprocess.CompletedProcess[bytes]:
    """A command in a process of its own, as the console script starts it."""
    called = [sys.executable, "-m", "jobs", *line.split()]
    environment = os.environ | environment
    return subprocess.run(called, cwd=ROOT, env=environment, stdout=stream, stderr=subprocess.PIPE, check=False)


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_sign_that_the_encoding_of_standard_output_lacks_is_shown_as_its_number(encoding: str) -> None:
    ended = started("config schema", {"PYTHONIOENCODING": encoding})
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"\\u2026" in ended.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("line", ["config show", "config schema", "--help", "--version", "config --help"])
def test_an_answer_that_a_full_disk_has_lost_is_told_in_a_sentence(line: str) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = started(line, {}, full.fileno())
    sentence = "standard output was lost (No space left on device): free some space, or write it elsewhere"
    assert (ended.returncode, ended.stderr.decode()) == (3, f"{PROGRAM}: {sentence}\n")
