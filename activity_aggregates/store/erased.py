"""Learners that were erased: the hashes of their ids, by which all that comes later knows whom to leave out.

Spark's Python workers and the read API import this module, so it imports neither Spark nor the settings.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cassandra import InvalidRequest
from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent_with_args

from activity_aggregates.errors import BadRequest, Unreachable
from activity_aggregates.secret import named_secret
from activity_aggregates.store.connection import RETRY_SECONDS, read

if TYPE_CHECKING:
    from activity_aggregates import settings

# The row that tells whether a secret is the one of the other rows; no hash begins like it.
_CHECK = "check "
_CHECKED = "the secret that erased ids are hashed with"


@dataclass(frozen=True)
class Erased:
    """The hashes of erased ids, and the secret that an id is hashed with to be held against them.

    It travels to Spark's Python workers inside their functions, never as a value of a plan, which is shown and logged.
    """

    secret: bytes = field(repr=False)
    hashes: frozenset[str] = field(default=frozenset(), repr=False)
    newest: datetime | None = None

    def hash(self, user_id: str) -> str:
        """HMAC-SHA256 of an id, in hexadecimal."""
        return hmac.digest(self.secret, user_id.encode(), "sha256").hex()

    def has(self, user_id: str) -> bool:
        """Whether the learner was erased.

        >>> erased = Erased(b"a secret").with_users(["u1"])
        >>> erased.has("u1"), erased.has("u2")
        (True, False)
        """
        return bool(self.hashes) and self.hash(user_id) in self.hashes

    def with_users(self, user_ids: Iterable[str]) -> Erased:
        return replace(self, hashes=self.hashes | {self.hash(user_id) for user_id in user_ids})

    @property
    def check_row(self) -> str:
        return _CHECK + self.hash(_CHECKED)


NOBODY = Erased(b"")


@dataclass(frozen=True)
class ErasedTable:
    """Where the hashes are kept, and how their secret is given."""

    place: str
    secret: bytes = field(repr=False)
    secret_env: str
    secret_file: str | None

    def required_secret(self, why: str) -> bytes:
        """The secret; raises BadRequest, which begins with `why`, where none is given."""
        if not self.secret:
            raise BadRequest(
                f"{why}: set the variable {self.secret_env} or name a file in erased.secret_file that holds it"
            )
        return self.secret

    def read(self, session: Session, retry_seconds: float = RETRY_SECONDS) -> Erased:
        """All that were erased; raises BadRequest where somebody was and the secret is missing or another one."""
        query = f"SELECT * FROM {self.place}"
        try:
            rows = {row.user_hash: row.erased_at for row in read(session, query, retry_seconds=retry_seconds)}
        except InvalidRequest as error:
            raise Unreachable(f"{self.place} cannot be read ({error}): run `activity-aggregates migrate`") from error
        if not rows:
            return Erased(self.secret)
        erased = Erased(self.required_secret(f"{self.place} holds erased learners, whom only its secret can tell"))
        if erased.check_row not in rows:
            origin = f"the file {self.secret_file}" if self.secret_file else f"the variable {self.secret_env}"
            raise BadRequest(
                f"{origin} holds another secret than {self.place} was written with, so that erased learners would "
                "return: give the secret that `erase` was first called with"
            )
        newest = max(rows.values()).replace(tzinfo=UTC)
        return replace(erased, hashes=frozenset(rows) - {erased.check_row}, newest=newest)

    def record(self, session: Session, erased: Erased, user_ids: Iterable[str], now: datetime) -> Erased:
        """Keep the hashes of further ids; returns all. The check row is first: no hash is ever without it."""
        insert = session.prepare(f"INSERT INTO {self.place} (user_hash, erased_at) VALUES (?, ?)")
        insert.is_idempotent = True
        session.execute(insert, [erased.check_row, now])
        everybody = erased.with_users(user_ids)
        added = everybody.hashes - erased.hashes
        execute_concurrent_with_args(session, insert, [(user_hash, now) for user_hash in added])
        return replace(everybody, newest=now)


def erased_table(target: settings.Target, erased: settings.Erased, environ: Mapping[str, str]) -> ErasedTable:
    """The table with its secret, which is read here and nowhere else."""
    secret = named_secret("erased.secret", erased.secret_env, erased.secret_file, environ)
    place = f"{target.keyspace}.{target.tables['aggregate_erased']}"
    return ErasedTable(place, secret, erased.secret_env, erased.secret_file)
