"""What the worker processes of a server are given, checked before any of them starts."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from activity_aggregates import settings
from activity_aggregates.api.answering.admission import MemberScores
from activity_aggregates.api.answering.known import described_metrics, names, numbers_of_metadata
from activity_aggregates.api.answering.members import Listing, Profile
from activity_aggregates.api.answering.paging import Pages
from activity_aggregates.api.answering.shapes import Entry
from activity_aggregates.api.edge.bounds import Bounds
from activity_aggregates.api.edge.outer import Manners
from activity_aggregates.api.identity.keys import read_keys
from activity_aggregates.api.identity.tokens import Claims
from activity_aggregates.api.stored.statements import (
    Read,
    aggregate_tables,
    statements,
    users_table,
    without_creators,
)
from activity_aggregates.errors import BadRequest
from activity_aggregates.secret import named_secret
from activity_aggregates.store.connection import Connection, connection
from activity_aggregates.store.erased import ErasedTable, erased_table
from metrics.names import course_words

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
    fallbacks: Mapping[Read, str]
    aggregate_tables: frozenset[tuple[str, str]]
    users_table: tuple[str, str] | None
    read_timeout: float
    max_reads: int
    listing: Listing
    metrics: list[Entry]
    metadata_seconds: float
    metadata_numbers: frozenset[str]
    course_words: frozenset[str]
    max_body_bytes: int
    manners: Manners
    bounds: Bounds
    caller_secret: bytes = field(repr=False)
    erased: ErasedTable
    erased_seconds: float
    trust: Trust | None


_OF_EVERY_MEMBER = {"id", "role", "agg"}


def deployment(given: settings.Settings, environ: Mapping[str, str], insecure_local: bool) -> Deployment:
    """What the workers need; raises BadRequest for whatever is missing of it."""
    api = given.api
    if api.page_size > api.max_page_size:
        raise BadRequest(
            f"api.page_size {api.page_size} is above api.max_page_size {api.max_page_size}: lower it or raise the other"
        )
    if own := sorted(_OF_EVERY_MEMBER & {name for name, columns in api.profile.items() if columns is not None}):
        raise BadRequest(f"api.profile {own[0]} is what every member is shown with already: give it another name")
    columns, profile = profile_of(given)
    secret = paging_secret(api, environ)
    roles = api.member_scores.roles if isinstance(api.member_scores, settings.MemberRoles) else []
    return Deployment(
        connection=connection(given.cassandra, environ),
        statements=statements(given.sources, given.target, columns),
        fallbacks=without_creators(given.sources),
        aggregate_tables=aggregate_tables(given.target),
        users_table=users_table(given.sources),
        read_timeout=api.read_timeout,
        max_reads=api.max_reads,
        listing=Listing(
            profile=profile,
            scores=MemberScores(api.member_scores == "all", frozenset(roles)),
            page_size=api.page_size,
            max_page_size=api.max_page_size,
            pages=Pages(secret),
            names=names(given, sorted(profile.names)),
        ),
        metrics=described_metrics(given),
        metadata_seconds=api.metadata_seconds,
        metadata_numbers=numbers_of_metadata(given),
        course_words=course_words(given.metrics.course_types),
        max_body_bytes=api.max_body_bytes,
        manners=Manners(api.request_timeout, frozenset(api.cors_origins), api.access_log),
        bounds=Bounds(api.max_connections, api.idle_timeout, api.access_log),
        caller_secret=secret,
        erased=erased_table(given.target, given.erased, environ),
        erased_seconds=api.erased_seconds,
        trust=trust(api, insecure_local),
    )


def profile_of(given: settings.Settings) -> tuple[list[str], Profile]:
    """The columns of a user that are read, and what members are shown with; nothing without sources.users."""
    made_of = {name: columns for name, columns in given.api.profile.items() if columns is not None}
    lists = {name: [columns] if isinstance(columns, str) else columns for name, columns in made_of.items()}
    columns = list(dict.fromkeys(column for each in lists.values() for column in each))
    places = {column: at for at, column in enumerate(columns)}
    attributes = tuple((name, tuple(places[column] for column in each)) for name, each in lists.items())
    is_read = bool(columns) and given.sources.users is not None
    return columns if is_read else [], Profile(attributes, is_read)


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
    if not api.issuer:
        raise BadRequest("tokens of any origin would be accepted: set api.issuer")
    key_file = Path(api.key_file).absolute()
    read_keys(key_file, api.algorithms)
    audiences = (api.audience,) if isinstance(api.audience, str) else tuple(api.audience or ())
    claims = Claims(api.issuer, audiences, api.leeway, api.user_id_claim, api.scope_claim)
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
