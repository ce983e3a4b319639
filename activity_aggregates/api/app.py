"""The application of one worker process: what it is made of, and the envelope around whatever goes wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from cassandra.cluster import Cluster
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from activity_aggregates import __version__
from activity_aggregates.api import openapi
from activity_aggregates.api.answering.metadata import Metadata
from activity_aggregates.api.deployment import Deployment
from activity_aggregates.api.edge import failures
from activity_aggregates.api.edge.envelope import answer
from activity_aggregates.api.edge.outer import Outer
from activity_aggregates.api.identity.keys import KeyFile
from activity_aggregates.api.identity.tokens import NobodyVerifier, TokenVerifier
from activity_aggregates.api.readiness import Readiness
from activity_aggregates.api.routes import Serving, router
from activity_aggregates.api.stored.decoding import leaving_maps
from activity_aggregates.api.stored.store import Store

# The driver's own is 4 KiB: for each piece of an answer its thread gives up the interpreter's lock, and waits for it.
PIECE_BYTES = 1 << 18


def create_app(deployment: Deployment) -> ASGIApp:
    """The application of one worker process; it connects when it starts."""
    serving = serving_of(deployment)

    @asynccontextmanager
    async def connected(_: FastAPI) -> AsyncIterator[None]:
        Cluster.connection_class.in_buffer_size = PIECE_BYTES
        await run_in_threadpool(serving.store.open)
        yield
        await run_in_threadpool(serving.store.close)

    app = FastAPI(
        title="activity-aggregates",
        version=__version__,
        description="Completion numbers of groups, their members, and single activities.",
        lifespan=connected,
        openapi_url=None,
        docs_url=None,  # both pages would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # one would lead to the host that the client names, and away from TLS
    )
    app.state.serving = serving
    app.include_router(router)
    app.openapi = openapi.documented(app)  # type: ignore[method-assign]
    app.add_api_route("/openapi.json", document, include_in_schema=False)
    for error, handler in failures.HANDLERS.items():
        app.add_exception_handler(error, handler)
    return Outer(app, deployment.manners)


async def document(request: Request) -> Response:
    return answer(request.scope, orjson.dumps(request.app.openapi()), 200, {"vary": "accept-encoding"})


def serving_of(deployment: Deployment) -> Serving:
    """What the routes of this process share."""
    trust = deployment.trust
    store = Store(
        deployment.connection,
        deployment.statements,
        deployment.fallbacks,
        deployment.read_timeout,
        deployment.erased,
        deployment.erased_seconds,
        deployment.max_reads,
        leaving_maps(deployment.aggregate_tables, deployment.users_table),
    )
    return Serving(
        store=store,
        readiness=Readiness(store),
        verifier=TokenVerifier(KeyFile(trust.key_file, trust.algorithms), trust.claims) if trust else NobodyVerifier(),
        metadata=Metadata(deployment.metadata_seconds, deployment.metadata_numbers, deployment.course_words),
        listing=deployment.listing,
        metrics=deployment.metrics,
        max_body_bytes=deployment.max_body_bytes,
        caller_secret=deployment.caller_secret,
    )
