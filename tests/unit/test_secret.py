"""Secrets that are named in the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from activity_aggregates.errors import BadRequest
from activity_aggregates.secret import named_key, named_secret

LONG, OTHER = "a secret that is long enough", "another secret, as long"


def test_the_file_wins_over_the_variable_and_its_last_line_may_end(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{LONG}\n")
    assert named_secret("erased.secret", "SECRET", str(file), {"SECRET": OTHER}) == LONG.encode()
    assert named_secret("erased.secret", "SECRET", None, {"SECRET": OTHER}) == OTHER.encode()


def test_none_is_no_error_of_its_own() -> None:
    assert named_secret("erased.secret", "SECRET", None, {}) == b""


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, r"^erased\.secret_file .* cannot be read \(No such file or directory\): correct it$"),
        ("", r"^the file .* holds a secret of 0 bytes: use at least 16$"),
        ("short", r"^the file .* holds a secret of 5 bytes: use at least 16$"),
    ],
)
def test_a_file_that_gives_none_is_refused(tmp_path: Path, content: str | None, sentence: str) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_text(content)
    with pytest.raises(BadRequest, match=sentence):
        named_secret("erased.secret", "SECRET", str(file), {"SECRET": LONG})


def test_a_key_of_somebody_else_may_be_short() -> None:
    assert named_key("lineage.api_key", "KEY", None, {"KEY": "short"}) == "short"
    assert named_key("lineage.api_key", "KEY", None, {}) == ""


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", "ключ".encode(), b"two\nlines"])
def test_what_no_head_of_a_request_can_hold_is_no_key(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(BadRequest, match=r"^the file .* holds no key: a key is letters, digits and signs of ASCII"):
        named_key("lineage.api_key", "KEY", str(file), {})
