"""Whether the store answers, asked beside the requests and not behind them, and once for all who ask at a time."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from activity_aggregates.api.stored.store import CHECK_SECONDS, Store
from activity_aggregates.errors import Unreachable


class Readiness:
    """Checks the store in a thread of its own."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(1, "ready")
        self._check: asyncio.Future[None] | None = None

    async def check(self) -> None:
        """Raises Unreachable where the store does not answer, or not in time."""
        if self._check is None or self._check.done():
            self._check = asyncio.get_running_loop().run_in_executor(self._thread, self._store.check)
            self._check.add_done_callback(lambda done: done.exception())  # whoever asked may have gone
        try:
            await asyncio.wait_for(asyncio.shield(self._check), CHECK_SECONDS)
        except TimeoutError as error:
            raise Unreachable(f"the store has not answered within {CHECK_SECONDS:g} s") from error
