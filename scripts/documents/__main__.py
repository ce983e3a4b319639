"""The command behind scripts/document."""

from __future__ import annotations

from pathlib import Path

from scripts.documents.tables import DOCUMENTS, rewritten

_ROOT = Path(__file__).parents[2]


def main() -> None:
    for name in DOCUMENTS:
        path = _ROOT / name
        before = path.read_text("utf-8")
        after = rewritten(before)
        if after != before:
            path.write_text(after, "utf-8")
        print(f"{name}: {'written anew' if after != before else 'as it was'}")


if __name__ == "__main__":
    main()
