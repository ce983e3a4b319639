"""The command behind scripts/document."""

from __future__ import annotations

from pathlib import Path

from activity_aggregates.schema import SCHEMA, settings_schema
from jobs.config import as_json
from scripts.documents.tables import DOCUMENTS, rewritten

_ROOT = Path(__file__).parents[2]


def main() -> None:
    for name, text in documents().items():
        path = _ROOT / name
        before = path.read_text("utf-8") if path.exists() else ""
        if text != before:
            path.write_text(text, "utf-8")
        print(f"{name}: {'written anew' if text != before else 'as it was'}")


def documents() -> dict[str, str]:
    """By path everything that follows from the code, as it has to be."""
    tables = {name: rewritten((_ROOT / name).read_text("utf-8")) for name in DOCUMENTS}
    return tables | {f"conf/{SCHEMA}": as_json(settings_schema()) + "\n"}


if __name__ == "__main__":
    main()
