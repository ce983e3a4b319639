"""Tells which changes of the code no test notices: `scripts/test mutants [MODULE…]`."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.embedded.paths import CHECKOUT
from tests.mutation.accepted import Accepted, accepted
from tests.mutation.modules import Module, modules
from tests.mutation.trials import Mutant, drawn, outcomes

_NOT_COPIED = (".git", ".venv", ".cache", ".cassandra", ".hypothesis", "build", "dist", "*_cache")
_TELL_EVERY = 50


@dataclass
class Result:
    """Of one module: how many mutants there were of each outcome, and those that nobody noticed."""

    counts: Counter[str] = field(default_factory=Counter)
    listed: int = 0
    survivors: list[Mutant] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        mutants, timeouts = self.counts.total(), self.counts["timeout"]
        noticed = self.counts["killed"] + timeouts
        return (
            f"{mutants} mutants, {noticed} noticed ({noticed / mutants:.1%}, {timeouts} by taking too long), "
            f"{self.listed} known to survive, {len(self.survivors)} others survive"
        )


def main(argv: Sequence[str]) -> int:
    arguments = _parser().parse_args(argv)
    known = {module.path: module for module in modules()}
    if unknown := [path for path in arguments.modules if not any(_is_below(each, path) for each in known)]:
        print(f"{unknown[0]} is none of the modules; there are:", *known, sep="\n  ", file=sys.stderr)
        return 2
    chosen = [
        m for m in known.values() if not arguments.modules or any(_is_below(m.path, p) for p in arguments.modules)
    ]
    if arguments.needs_cassandra:
        print("yes" if any(module.needs_cassandra for module in chosen) else "no")
        return 0
    folder = Path(tempfile.mkdtemp(prefix="mutants-"))
    try:
        shutil.copytree(CHECKOUT, folder, ignore=shutil.ignore_patterns(*_NOT_COPIED), dirs_exist_ok=True)
        subprocess.run([sys.executable, "-m", "compileall", "-q", "."], cwd=folder, check=True)
        results = [_told(module, folder, accepted(), arguments.every) for module in chosen]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if any(result.survivors or result.stale for result in results) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/test mutants", description="Tells which changes of the code no test notices."
    )
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="a path or a folder, say metrics/progress.py")
    parser.add_argument("--every", type=_number, default=1, metavar="N", help="only every Nth mutant, for a first look")
    parser.add_argument("--needs-cassandra", action="store_true", help=argparse.SUPPRESS)
    return parser


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1")
    return int(text)


def _is_below(path: str, wanted: str) -> bool:
    return path == wanted or path.startswith(wanted.rstrip("/") + "/")


def _told(module: Module, folder: Path, known: Accepted, every: int) -> Result:
    """Try the mutants of a module, and print what came of it."""
    print(f"{module.path}", flush=True)
    result = Result()
    mutants = drawn(Path(os.environ["MUTATION_PYTHON"]), CHECKOUT / module.path)[::every]
    for mutant, outcome in zip(mutants, outcomes(module, mutants, folder), strict=True):
        result.counts[outcome] += 1
        if result.counts.total() % _TELL_EVERY == 0:
            print(f"  {result.counts.total()} of {len(mutants)}", flush=True)
        if outcome == "survived" and known.has(module.path, mutant):
            result.listed += 1
        elif outcome == "survived":
            result.survivors.append(mutant)
            print(f"  {module.path}:{mutant.line} nobody notices\n{mutant.diff}", flush=True)
    result.stale = known.unused(module.path) if every == 1 else []
    for each in result.stale:
        print(f"  tests/mutation/survivors.yaml: this one is noticed, or is none of the mutants, by now\n{each}")
    print(f"  {result}", flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
