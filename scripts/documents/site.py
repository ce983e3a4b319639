"""Puts the pages of the site together: they link to each other and to files of the checkout, as they do there.

usage: python -m scripts.documents.site FOLDER
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
START = "README.md"
# What stands where in the navigation. A page of docs/ that is in no list stands below the first.
SECTIONS = {
    "Running it": [
        "docs/installing.md",
        "docs/platforms.md",
        "docs/running.md",
        "docs/commands.md",
        "docs/scheduling.md",
        "docs/watching.md",
        "docs/operations.md",
        "docs/reliability.md",
    ],
    "What it computes": [
        "docs/definitions.md",
        "docs/guarantees.md",
        "docs/incremental.md",
        "docs/corrections.md",
        "docs/erasure.md",
        "docs/api.md",
    ],
    "Inside": ["CONTRIBUTING.md", "docs/writing.md", "docs/performance.md", "SECURITY.md", "CHANGELOG.md"],
}
DECISIONS = "docs/decisions"
_LINK = re.compile(r"\[([^\]]*)\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def main(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    pages = [START, *(page for of_section in sections().values() for page in of_section)]
    for page in pages:
        _write(folder / "pages", page)
    navigation = [{"Start": START}, *({name: of_section} for name, of_section in sections().items())]
    configuration = {
        "INHERIT": str(ROOT / "mkdocs.yml"),
        "docs_dir": str(folder / "pages"),
        "site_dir": str(folder / "html"),
        "nav": navigation,
    }
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(configuration, sort_keys=False), "utf-8")


def sections() -> dict[str, list[str]]:
    """The pages that are there, by section."""
    found = {name: [page for page in pages if (ROOT / page).is_file()] for name, pages in SECTIONS.items()}
    listed = {page for pages in SECTIONS.values() for page in pages}
    first = next(iter(found))
    found[first] += [page for page in _pages("docs") if page not in listed]
    return {**found, "Decisions": _pages(DECISIONS)}


def _pages(folder: str) -> list[str]:
    """README first, which is the index of its folder."""
    paths = sorted((ROOT / folder).glob("*.md"), key=lambda path: (path.name != "README.md", path.name))
    return [path.relative_to(ROOT).as_posix() for path in paths]


def _write(pages: Path, page: str) -> None:
    """A page, and the files that it links to. A folder is no page, so of a link to one its words are left."""
    text = (ROOT / page).read_text("utf-8")
    for linked in _linked(page, text):
        (pages / linked).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / linked, pages / linked)
    (pages / page).parent.mkdir(parents=True, exist_ok=True)
    here = (ROOT / page).parent
    (pages / page).write_text(_LINK.sub(lambda link: link[1] if (here / link[2]).is_dir() else link[0], text), "utf-8")


def _linked(page: str, text: str) -> Iterator[str]:
    for link in _LINK.finditer(text):
        path = ((ROOT / page).parent / link[2]).resolve()
        if path.is_file() and path.suffix != ".md" and path.is_relative_to(ROOT):
            yield path.relative_to(ROOT).as_posix()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
