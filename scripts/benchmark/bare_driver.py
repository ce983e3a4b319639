"""The reads of both routes by the driver alone: the same statements and settings, in as many processes, no HTTP.

Metadata are left out: the API keeps them, and reads each activity's once in a while.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from random import Random

from cassandra.cluster import ResponseFuture

from activity_aggregates.api.deployment import Deployment
from activity_aggregates.api.stored.reads import Reads
from activity_aggregates.api.stored.statements import Read
from activity_aggregates.api.stored.store import Store
from scripts.benchmark.groups import ACTIVITIES, GROUPS, MEMBERS, activity_id, group_id, user_id

WARM_UP_SECONDS = 2.0
SPARE_SECONDS = 60.0  # that the last reads may take
MOST_AT_ONCE = 3  # reads of one request that are under way together

# One request: yields reads that are under way together, and goes on when all of them have come back.
Request = Generator[list[ResponseFuture], None, None]


@dataclass(frozen=True)
class Load:
    """What to do: a route, by how many clients in this process, and for how long."""

    route: str
    clients: int
    seconds: float
    seed: int


@dataclass(frozen=True)
class Measured:
    """Seconds that each request took, and seconds of processor time for all of them."""

    took: list[float]
    cpu_seconds: float


def group_request(reads: Reads, random: Random) -> Request:
    group = random.randrange(GROUPS)
    member = user_id(group, random.randrange(MEMBERS))
    yield [
        reads.start(Read.GROUP, group_id(group)),
        reads.start(Read.MEMBER, group_id(group), member),
    ]
    yield [reads.start(Read.GROUP_AGGREGATES, group_id(group))]


def activity_request(reads: Reads, random: Random) -> Request:
    group = random.randrange(GROUPS)
    key = (group_id(group), "Course", activity_id(random.randrange(ACTIVITIES)))
    yield [
        reads.start(Read.GROUP, group_id(group)),
        reads.start(Read.MEMBER, group_id(group), user_id(group, random.randrange(MEMBERS))),
    ]
    yield [
        reads.start(Read.GROUP_ACTIVITY, *key),
        reads.start(Read.MEMBERS, group_id(group), rows=MEMBERS + 1),
    ]
    yield [reads.start(Read.MEMBER_AGGREGATES, *key, user_id(group, 0), user_id(group, MEMBERS - 1))]


ROUTES: dict[str, Callable[[Reads, Random], Request]] = {"group": group_request, "activity": activity_request}


def measured(deployment: Deployment, route: str, clients: int, workers: int, seconds: float) -> Measured:
    """What every process has measured, in one."""
    spawn = get_context("spawn")
    answers = spawn.SimpleQueue()
    shares = [len(range(worker, clients, workers)) for worker in range(workers)]
    loads = [Load(route, share, seconds, seed) for seed, share in enumerate(shares) if share]
    processes = [spawn.Process(target=work, args=(deployment, load, answers)) for load in loads]
    for process in processes:
        process.start()
    parts: list[Measured] = [answers.get() for _ in processes]
    for process in processes:
        process.join()
    return Measured([duration for part in parts for duration in part.took], sum(part.cpu_seconds for part in parts))


def work(deployment: Deployment, load: Load, answers: SimpleQueue[Measured]) -> None:
    store = Store(
        deployment.connection,
        deployment.statements,
        deployment.fallbacks,
        deployment.read_timeout,
        deployment.erased,
        deployment.erased_seconds,
        most_reads=load.clients * MOST_AT_ONCE,
    )
    store.open()
    reads = store.reads(time.monotonic() + WARM_UP_SECONDS + load.seconds + SPARE_SECONDS)
    clients(reads, load, WARM_UP_SECONDS)  # connections and caches are warm
    before = time.process_time()
    took = clients(reads, load, load.seconds)
    answers.put(Measured(took, time.process_time() - before))
    store.close()


def clients(reads: Reads, load: Load, seconds: float) -> list[float]:
    """Keeps as many requests under way as there are clients, the oldest one first."""
    random = Random(load.seed)
    begin = ROUTES[load.route]
    took: list[float] = []
    deadline = time.perf_counter() + seconds
    under_way: deque[tuple[float, Request, list[ResponseFuture]]] = deque()
    while time.perf_counter() < deadline:
        while len(under_way) < load.clients:
            request = begin(reads, random)
            under_way.append((time.perf_counter(), request, next(request)))
        started, request, step = under_way.popleft()
        for future in step:
            future.result().all()
        if following := next(request, None):
            under_way.append((started, request, following))
        else:
            took.append(time.perf_counter() - started)
    for _, _, step in under_way:
        for future in step:
            future.result()
    return took
