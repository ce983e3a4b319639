"""What the worker processes of a server are given, checked before any of them starts."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from activity_aggregates import settings
from activity_aggregates.api.identity.keys import read_keys
from activity_aggregates.api.answering.paging import Pages
from activity_aggregates.api.answering.groups import Listing
from activity_aggregates.api.stored.statements import Read, aggregate_tables, statements
from activity_aggregates.api.identity.tokens import Claims
from activity_aggregates.errors import BadRequest
from activity_aggregates.secret import named_secret
from activity_aggregates.store.connection import Connection, connection
from activity_aggregates.store.erased import ErasedTable, erased_table

SECRET_BYTES = 32


@dataclass(frozen=True)
class Trust:
    """Whose tokens are accepted."""

    key_file: Path
    algorithms: tuple[str, ...]
    claims: Claims


@dataclass(frozen=True)
class Deployment:
    """All that a worker process needs; without `trust` everybody is let in."""

    connection: Connection
    statements: Mapping[Read, str]
    aggregate_tables: frozenset[tuple[str, str]]
    read_timeout: float
    listing: Listing
    metadata_seconds: float
    max_body_bytes: int
    erased: ErasedTable
    erased_seconds: float
    trust: Trust | None


def deployment(given: settings.Settings, environ: Mapping[str, str], insecure_local: bool) -> Deployment:
    """What the workers need; raises BadRequest for whatever is missing of it."""
    api = given.api
    if api.page_size > api.max_page_size:
        raise BadRequest(
            f"api.page_size {api.page_size} is above api.max_page_size {api.max_page_size}: lower it or raise the other"
        )
    return Deployment(
        connection=connection(given.cassandra, environ),
        statements=statements(given.sources, given.target, api.profile),
        aggregate_tables=aggregate_tables(given.target),
        read_timeout=api.read_timeout,
        listing=Listing(tuple(api.profile), api.page_size, api.max_page_size, Pages(paging_secret(api, environ))),
        metadata_seconds=api.metadata_seconds,
        max_body_bytes=api.max_body_bytes,
        erased=erased_table(given.target, given.erased, environ),
        erased_seconds=api.erased_seconds,
        trust=trust(api, insecure_local),
    )


def trust(api: settings.Api, insecure_local: bool) -> Trust | None:
    """Whose tokens are accepted; None lets everybody in, and is had only by asking for it on a loopback address."""
    if insecure_local and api.key_file:
        raise BadRequest("--insecure-local would ignore api.key_file: leave out one of them")
    if insecure_local and not is_loopback(api.host):
        raise BadRequest(
            f"--insecure-local serves without any check of who asks, which {api.host} would let other machines do: "
            "set api.host to 127.0.0.1"
        )
    if insecure_local:
        return None
    if not api.key_file:
        raise BadRequest(
            "api.key_file is not set, so no token could be checked: name a PEM or JWKS file of public keys, "
            "or try it without tokens on this machine alone with --insecure-local"
        )
    if not api.issuer or not api.audience:
        missing = " and ".join(f"api.{name}" for name in ("issuer", "audience") if not getattr(api, name))
        raise BadRequest(f"tokens of any origin would be accepted: set {missing}")
    key_file = Path(api.key_file).absolute()
    read_keys(key_file, api.algorithms)
    claims = Claims(api.issuer, api.audience, api.leeway, api.user_id_claim, api.scope_claim)
    return Trust(key_file, tuple(api.algorithms), claims)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it; a name other than localhost may resolve to anything.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0"), is_loopback("example.org")
    (True, True, False, False)
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def paging_secret(api: settings.Api, environ: Mapping[str, str]) -> bytes:
    """What page tokens are signed with; where none is given it is drawn, for all workers of this start."""
    given = named_secret("api.paging_secret", api.paging_secret_env, api.paging_secret_file, environ)
    return given or secrets.token_bytes(SECRET_BYTES)
