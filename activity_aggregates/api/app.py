"""The application of one worker process: what it is made of, and the envelope around whatever goes wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cassandra.cluster import Cluster
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from activity_aggregates import __version__
from activity_aggregates.api import failures, openapi
from activity_aggregates.api.deployment import Deployment
from activity_aggregates.api.identity.keys import KeyFile
from activity_aggregates.api.answering.metadata import Metadata
from activity_aggregates.api.stored.protocol import leaving_maps
from activity_aggregates.api.routes import Serving, router
from activity_aggregates.api.stored.store import Store
from activity_aggregates.api.identity.tokens import NobodyVerifier, TokenVerifier

# The driver's own is 4 KiB: for each piece of an answer its thread gives up the interpreter's lock, and waits for it.
PIECE_BYTES = 1 << 18


def create_app(deployment: Deployment) -> FastAPI:
    """The application of one worker process; it connects when it starts."""
    trust = deployment.trust
    serving = Serving(
        store=Store(
            deployment.connection,
            deployment.statements,
            deployment.read_timeout,
            deployment.erased,
            deployment.erased_seconds,
            leaving_maps(deployment.aggregate_tables),
        ),
        verifier=TokenVerifier(KeyFile(trust.key_file, trust.algorithms), trust.claims) if trust else NobodyVerifier(),
        metadata=Metadata(deployment.metadata_seconds),
        listing=deployment.listing,
        max_body_bytes=deployment.max_body_bytes,
    )

    @asynccontextmanager
    async def connected(_: FastAPI) -> AsyncIterator[None]:
        Cluster.connection_class.in_buffer_size = PIECE_BYTES
        await run_in_threadpool(serving.store.open)
        yield
        await run_in_threadpool(serving.store.close)

    app = FastAPI(
        title="activity-aggregates",
        version=__version__,
        description="Completion numbers of groups and their members.",
        lifespan=connected,
        docs_url=None,  # both pages would load scripts from elsewhere
        redoc_url=None,
    )
    app.state.serving = serving
    app.include_router(router)
    app.openapi = openapi.documented(app)  # type: ignore[method-assign]
    for error, handler in failures.HANDLERS.items():
        app.add_exception_handler(error, handler)
    return app
