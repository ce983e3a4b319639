"""Mutants that may survive, each with the reason: survivors.yaml."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.mutation.trials import Mutant

_FILE = Path(__file__).with_name("survivors.yaml")


@dataclass
class Accepted:
    """By module the changes that are listed, each as often as it is; `has` counts them off."""

    left: dict[str, Counter[str]] = field(default_factory=dict)

    def has(self, path: str, mutant: Mutant) -> bool:
        """Whether this one is listed, and was not met as often before."""
        left = self.left.get(path, Counter())
        if not left[mutant.change]:
            return False
        left[mutant.change] -= 1
        return True

    def unused(self, path: str) -> list[str]:
        """What is listed and was not met."""
        return sorted(self.left.get(path, Counter()).elements())


def accepted() -> Accepted:
    """What the file lists: by module, by reason, the changes as `- line` and `+ line` without their indentation."""
    listed: dict[str, dict[str, list[str]]] = yaml.safe_load(_FILE.read_text("utf-8")) or {}
    return Accepted(
        {
            path: Counter(change.strip() for each in reasons.values() for change in each)
            for path, reasons in listed.items()
        }
    )
