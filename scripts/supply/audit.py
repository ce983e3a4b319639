"""The command behind scripts/audit: what an advisory database knows against the locked Python packages.

A package that the database cannot be asked about is not a package against which nothing is known.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

LOCKS = Path(__file__).parents[2] / "requirements"
CLEAN, AFFECTED, UNKNOWN = 0, 1, 3
Package = dict[str, Any]


class NotAnsweredError(Exception):
    """The database could not be asked at all; says why."""


def main(argv: Sequence[str]) -> int:
    """Print each package that is affected; 0 none is, 1 some are, 3 some or all could not be looked up."""
    arguments = _parser().parse_args(argv)
    packages: list[Package] = []
    for lock in arguments.locks or sorted(LOCKS.glob("*.lock")):
        try:
            packages += asked(lock, arguments.osv)
        except NotAnsweredError as error:
            return _unknown(f"the advisory database cannot be asked ({error})")
    for sentence in sorted(set(_findings(packages))):
        print(sentence)
    names = {(each["name"], each.get("version", each.get("skip_reason"))) for each in packages}
    unknown = [each["skip_reason"] for each in packages if "skip_reason" in each]
    affected = {each["name"] for each in packages if each.get("vulns")}
    if unknown:
        return _unknown(f"{len(set(unknown))} of {len(names)} packages could not be looked up ({unknown[0]})")
    print(f"{len(affected)} of {len(names)} packages are affected")
    return AFFECTED if affected else CLEAN


def asked(lock: Path, osv: str | None) -> list[Package]:
    """What pip-audit says of every package of a lock: name, and version with `vulns`, or `skip_reason`."""
    service = ["--vulnerability-service", "osv", "--osv-url", osv] if osv else []
    audit = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--disable-pip", "--require-hashes"]
    quiet = ["--format", "json", "--progress-spinner", "off", "--desc", "off"]
    done = subprocess.run([*audit, *service, *quiet], check=False, capture_output=True, text=True)
    try:
        found: list[Package] = json.loads(done.stdout)["dependencies"]
    except ValueError as error:
        said = done.stderr.strip().splitlines() or [f"pip-audit ended with {done.returncode}"]
        raise NotAnsweredError(said[-1]) from error
    return found


def _findings(packages: Sequence[Package]) -> Iterator[str]:
    for package in packages:
        for advisory in package.get("vulns", []):
            names = ", ".join([advisory["id"], *advisory["aliases"]])
            better = " or ".join(advisory["fix_versions"]) or "no version"
            yield f"{package['name']} {package['version']}: {names}; mended in {better}"


def _unknown(why: str) -> int:
    print(f"audit: {why}: run it where PyPI itself can be reached, or name an OSV with --osv", file=sys.stderr)
    return UNKNOWN


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/audit", allow_abbrev=False)
    parser.add_argument("locks", nargs="*", type=_lock, metavar="LOCK")
    parser.add_argument("--osv", metavar="URL")
    return parser


def _lock(text: str) -> Path:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"{text} is no file: name one of requirements/*.lock, or none for all")
    return Path(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
