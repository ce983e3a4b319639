"""One order of commands for many cases, in which each of them finds its own.

Cases have learners and contexts of their own, and a command changes nothing of a case that has nothing for it to do. So
what several cases run can be run once, if a case that has changed something sees nothing publish it but what it runs
itself: what is run up to there stays together, and so do the looks at what it has left.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
Together = dict[int, T]  # of those who take part, by their number, what each has there

AS_OF, NOW, AT_THE_END, OTHERWISE_SET = range(4)
BY_ITSELF, WITH_OTHERS, WHEN_ALL_IS_DONE = range(3)


@dataclass(frozen=True)
class Command:
    """What a case runs; those with one key can be run as one.

    It `settles` where it publishes what any case has changed; it `looks` where it changes nothing and finds nothing. Of
    those that settle, what has the smaller `turn` is run first: when, as of which time, and with whom.
    """

    key: str
    settles: bool = False
    looks: bool = False
    turn: tuple[int, str, int] = (NOW, "", WITH_OTHERS)


def scheduled(cases: Sequence[Sequence[Command]]) -> Iterator[set[int]]:
    """For one command after the other, which of the cases run it, each of them its own next one.

    It is the greedy order, of what is next in most cases, not the shortest.
    """
    given = {number: _stretches(commands) for number, commands in enumerate(cases)}
    for stretches in taken(given, lambda own: _settling(own).key, lambda own: _settling(own).turn):
        for commands in taken(stretches, lambda own: own.key, lambda own: (own.settles, own.looks)):
            yield set(commands)


def _stretches(commands: Sequence[Command]) -> list[Sequence[Command]]:
    """Each up to a command that settles, with the looks after it."""
    found: list[list[Command]] = []
    settled = True
    for command in commands:
        if settled and not (found and command.looks):
            found.append([])
            settled = False
        found[-1].append(command)
        settled = settled or command.settles
    return [*found]


def _settling(stretch: Sequence[Command]) -> Command:
    """What settles it; one that nothing settles comes when all others are done."""
    return next((command for command in stretch if command.settles), Command("", turn=(AT_THE_END, "", WITH_OTHERS)))


def taken(given: Mapping[int, Sequence[T]], key: Callable[[T], str], turn: Callable[[T], Any]) -> Iterator[Together[T]]:
    """One order for several, each of which keeps its own: again and again what is next in most, of the smallest turn.

    >>> [sorted(each) for each in taken({1: "ab", 2: "b", 3: "ab"}, key=str, turn=lambda _: 0)]
    [[1, 3], [1, 2, 3]]
    """
    left = {number: deque(own) for number, own in given.items()}
    while heads := {number: own[0] for number, own in left.items() if own}:
        first = min(map(turn, heads.values()))
        chosen = Counter(key(head) for head in heads.values() if turn(head) == first).most_common(1)[0][0]
        yield {number: left[number].popleft() for number, head in heads.items() if key(head) == chosen}
