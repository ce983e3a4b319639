"""The one error of these scripts: a sentence for the person at the terminal."""

from __future__ import annotations


class SetupError(Exception):
    """What went wrong and what to do next, in one sentence."""
