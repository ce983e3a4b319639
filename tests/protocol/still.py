"""A machine on which nothing happens by chance: its clock moves when somebody waits, or when it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from cassandra import OperationTimedOut

from activity_aggregates.clock import Clock
from tests.protocol.store import Store
from tests.protocol.world import Prepared

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class StillMachine(Clock):
    """A clock, and in the place of a session the twin of the store, which reads the same clock."""

    def __init__(self) -> None:
        self.seconds = 0.0  # since noon
        self.store = Store(lambda: NOON.timestamp() + self.seconds)
        self.takes = 0.0  # seconds of each request, half of them on the way there
        self.sent: list[Any] = []
        self.before_answer: Callable[[str], None] = lambda verb: None

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def prepare(self, text: str) -> Prepared:
        return Prepared(text)

    def execute(self, statement: Any, values: Iterable[Any] = ()) -> Any:
        text = statement if isinstance(statement, str) else statement.query_string
        given = list(values)
        assert len(given) == text.count("%s") + text.count("?"), "the driver does not send fewer values, or more"
        self.sent.append(statement)
        self.seconds += self.takes / 2
        found = self.store.execute(text, given)
        self.before_answer(text.split()[0])
        self.seconds += self.takes / 2
        return found

    def loses(self, *verbs: str) -> None:
        """From now on these statements are carried out, and their answers get lost."""

        def lose(verb: str) -> None:
            if verb in verbs:
                raise OperationTimedOut

        self.before_answer = lose
