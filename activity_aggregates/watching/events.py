"""A run as an event of OpenLineage: what was read and written, and how many rows of it. No learner's id is in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState, set_producer
from openlineage.client.facet_v2 import (
    RunFacet,
    error_message_run,
    input_statistics_input_dataset,
    job_type_job,
    nominal_time_run,
    output_statistics_output_dataset,
    tags_run,
)
from openlineage.client.naming.dataset import Cassandra
from openlineage.client.uuid import generate_static_uuid

from activity_aggregates import __version__, settings
from activity_aggregates.sources.declarations import SOURCE_TABLES
from activity_aggregates.sources.deployed import address
from activity_aggregates.store.records import DRY_RUN, INTERRUPTED, SUCCEEDED, SUPERSEDED, RunRecord
from activity_aggregates.store.targets import TARGET_TABLES

set_producer(f"urn:activity-aggregates:{__version__}")  # of events and of every part of one

_STATES = {
    SUCCEEDED: RunState.COMPLETE,
    DRY_RUN: RunState.COMPLETE,
    SUPERSEDED: RunState.ABORT,
    INTERRUPTED: RunState.ABORT,
}


def began(record: RunRecord, chosen: settings.Settings, now: datetime) -> RunEvent:
    """It holds its lease; it may read every source that there is."""
    return _event(RunState.START, record, chosen, now, {})


def ended(record: RunRecord, chosen: settings.Settings, now: datetime) -> RunEvent:
    """It has come to its end, whichever that is; what the record does not say the end of has failed."""
    state = _STATES.get(record.status, RunState.FAIL)
    facets: dict[str, RunFacet] = {
        "nominalTime": nominal_time_run.NominalTimeRunFacet(nominalStartTime=record.as_of.isoformat()),
    }
    if state != RunState.COMPLETE:
        message = record.message or "it ended without a word"
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(message, programmingLanguage="Python")
    return _event(state, record, chosen, now, facets)


def _event(
    state: RunState, record: RunRecord, chosen: settings.Settings, now: datetime, facets: Mapping[str, RunFacet]
) -> RunEvent:
    known = {"run_id": record.run_id, "status": record.status, "target": chosen.target.keyspace}
    tags = [tags_run.TagsRunFacetFields(key, value, "activity-aggregates") for key, value in known.items()]
    kind = job_type_job.JobTypeJobFacet(processingType="BATCH", integration="SPARK", jobType="JOB")
    name = f"{chosen.target.keyspace}.{record.called}"
    return RunEvent(
        eventType=state,
        eventTime=now.isoformat(),
        run=Run(_uuid(record), {"tags": tags_run.TagsRunFacet(tags), **facets}),
        job=Job(chosen.lineage.namespace, name, {"jobType": kind}),
        inputs=list(_inputs(record, chosen)),
        outputs=list(_outputs(record, chosen)),
    )


def _uuid(record: RunRecord) -> str:
    """The same for every event of a run, also of one that is resumed."""
    return str(generate_static_uuid(record.started_at, record.run_id.encode()))


def _inputs(record: RunRecord, chosen: settings.Settings) -> Iterator[InputDataset]:
    for table in SOURCE_TABLES:
        source: settings.Source | None = getattr(chosen.sources, table.name)
        if source is None:
            continue
        rows = record.counts.get(f"read.{table.name}")
        facet = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(rowCount=rows)
        place, name = _place(source, chosen.cassandra)
        yield InputDataset(place, name, inputFacets={} if rows is None else {"inputStatistics": facet})


def _outputs(record: RunRecord, chosen: settings.Settings) -> Iterator[OutputDataset]:
    """The tables that it has written into, or found nothing to write into."""
    for table in TARGET_TABLES:
        rows = record.counts.get(f"written.{table.name}")
        if rows is not None:
            facet = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=rows)
            host, port = address(chosen.cassandra)
            place, name = _of_cassandra(host, port, chosen.target.keyspace, chosen.target.tables[table.name])
            yield OutputDataset(place, name, outputFacets={"outputStatistics": facet})


def _place(source: settings.Source, cassandra: settings.Cassandra) -> tuple[str, str]:
    """Namespace and name of a source, as OpenLineage has them."""
    if source.path is None:
        return _of_cassandra(*address(cassandra, source), str(source.keyspace), str(source.table))
    return of_path(source.path)


def _of_cassandra(host: str, port: int, keyspace: str, table: str) -> tuple[str, str]:
    named = Cassandra(host, str(port), keyspace, table)
    return named.get_namespace(), named.get_name()


def of_path(path: str) -> tuple[str, str]:
    """Namespace and name of files; a login in a URI is in neither.

    >>> of_path("s3a://key:hush@lake/enrolments"), of_path("hdfs://name:8020/lake")
    (('s3a://lake', 'enrolments'), ('hdfs://name:8020', '/lake'))
    """
    uri = urlsplit(path)
    if uri.scheme in ("", "file"):
        return "file", str(Path(uri.path).absolute())
    place = uri.netloc.rpartition("@")[2]
    return f"{uri.scheme}://{place}", uri.path.lstrip("/") if uri.scheme.startswith("s3") else uri.path
