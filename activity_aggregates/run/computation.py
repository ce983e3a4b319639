"""The computation of a run: from the sources to the rows of learners and activities, each source read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame, Observation

from activity_aggregates import settings
from activity_aggregates.changes.staging import RunDirectory
from activity_aggregates.errors import CheckFailed
from activity_aggregates.run.steps import Steps
from activity_aggregates.sources.tables import ATTEMPTS, ENROLMENTS, HIERARCHIES, PROGRESS, Sources
from activity_aggregates.spark.kept import kept, materialised
from metrics import catalog, courses, enrolments, learners, progress, quizzes, refusals
from metrics.activities import activity_rows, learner_sums

Counts = dict[str, int]


@dataclass(frozen=True)
class Enrolled:
    """The enrolments that count, the outlines of their courses, and what is refused of them."""

    by_key: DataFrame
    outlines: DataFrame
    unsettled: DataFrame
    refused: dict[str, DataFrame]


@dataclass(frozen=True)
class Aggregates:
    """Computed rows: of learners and activities, and the catalog of the activities in each context."""

    learners: DataFrame
    activities: DataFrame
    catalog: DataFrame
    refused: dict[str, DataFrame]


def read_enrolments(
    sources: Sources, counts: Counts, steps: Steps, fields: Mapping[str, str] | None = None
) -> Enrolled:
    """Enrolments and the hierarchies of the courses that they name, assessed and counted.

    `fields` are entries of metadata, and the attributes of a tree's nodes that the outlines keep for them.
    """
    with steps("read enrolments") as step:
        raw = kept(sources.frame(ENROLMENTS))
        hierarchies = sources.frame(HIERARCHIES).filter(~courses.is_draft())
        enrolled_courses = raw.select("course_id").distinct()
        trees = hierarchies.join(enrolled_courses, "course_id", how="left_semi")
        outlines = kept(courses.outlines(trees, fields))
        assessed = enrolments.assess_enrolments(raw, outlines)
        seen = Observation()
        observed = assessed.observe(
            seen, *refusals.refusal_counts(*refusals.ENROLMENT_REASONS), enrolments.retired_rows()
        )
        by_key = materialised(enrolments.enrolments_by_key(refusals.accepted(observed)))
        counts["computed.enrolments"] = by_key.count()
        found = dict(seen.get)
        counts["counted.retired"] = found.pop("retired")
        counts["read.enrolments"] = step.rows = found.pop("read")
        counts.update({f"refused.{reason}": rows for reason, rows in found.items()})
        unsettled = kept(enrolments.unsettled_courses(assessed))
    refused = {"enrolments": refusals.refused(assessed, "user_id", "course_id", "batch_id")}
    return Enrolled(by_key, outlines, unsettled, refused)


def refused_rows(counts: Counts, source: str) -> int:
    """How many rows of a source are refused; the reasons of enrolments are counted without their source's name."""
    if source == "enrolments":
        return sum(counts[f"refused.{reason}"] for reason in refusals.ENROLMENT_REASONS)
    return sum(rows for name, rows in counts.items() if name.startswith(f"refused.{source}."))


def check_refused_share(counts: Counts, limit: float) -> None:
    """Stop a run of which too many enrolments are refused: its numbers would be of the rest only."""
    refused, read = refused_rows(counts, "enrolments"), counts["read.enrolments"]
    if read and refused / read > limit:
        reasons = ", ".join(
            f"{counts[f'refused.{reason}']} {reason}"
            for reason in refusals.ENROLMENT_REASONS
            if counts[f"refused.{reason}"]
        )
        raise CheckFailed(
            f"{refused} of {read} enrolments are refused ({reasons}), more than limits.refused_share {limit:g} allows, "
            "so nothing was written: look into the quarantine, "
            f"or allow it with --set limits.refused_share={min(1.0, refused / read + 0.005):.2f}"
        )


def aggregate(
    sources: Sources,
    enrolled: Enrolled,
    choices: settings.Metrics,
    directory: RunDirectory,
    counts: Counts,
    steps: Steps,
) -> Aggregates:
    """The rows of all learners and activities, in one pass over attempts and one over progress."""
    with steps("read attempts") as step:
        attempted = read_attempts(sources, enrolled.by_key, counts)
        owners = placed_activities(enrolled, attempted.scores, counts)
        step.rows = counts["read.attempts"]
    progress_read = read_progress(
        sources, enrolled.by_key, enrolled.outlines, attempted.scores, owners, choices, directory, counts, steps
    )
    learner_rows = progress_read.learners
    refused = {"progress": progress_read.refused, "attempts": attempted.refused}
    return Aggregates(learner_rows, activity_rows(owners, learner_sums(learner_rows)), owners, refused)


@dataclass(frozen=True)
class Attempted:
    """`quizzes.quiz_scores` of all enrolments, and the refused attempts."""

    scores: DataFrame
    refused: DataFrame


def read_attempts(sources: Sources, enrolments_by_key: DataFrame, counts: Counts) -> Attempted:
    """The attempts, assessed and counted."""
    attempts = quizzes.assess_attempts(sources.frame(ATTEMPTS))
    seen, matched = Observation(), Observation()
    observed = attempts.observe(seen, *refusals.refusal_counts(*refusals.ATTEMPT_REASONS))
    best = quizzes.best_attempts(refusals.accepted(observed))
    scored = quizzes.quiz_scores(enrolments_by_key, best).observe(matched, *quizzes.matched_attempt_counts())
    scores = materialised(scored)
    _count(counts, "attempts", refusals.ATTEMPT_REASONS, seen, matched, orphans="orphan_attempts")
    return Attempted(scores, refusals.refused(attempts, *quizzes.ATTEMPT_KEY))


def placed_activities(
    enrolled: Enrolled, scores: DataFrame, counts: Counts, in_contexts: DataFrame | None = None
) -> DataFrame:
    """`catalog.catalog` of all contexts, or of those in (context_id)."""
    placed = catalog.placements(
        enrolments.contexts(enrolled.by_key), courses.course_activities(enrolled.outlines), scores
    )
    if in_contexts is not None:
        placed = placed.join(in_contexts, "context_id", how="left_semi")
    owners = kept(catalog.catalog(placed))
    counts["counted.shared_context"] = owners.filter(catalog.is_shared()).count()
    return owners


@dataclass(frozen=True)
class ProgressRead:
    """`learners.learner_rows`, written and read again, and the refused progress."""

    learners: DataFrame
    refused: DataFrame


def read_progress(
    sources: Sources,
    enrolments_by_key: DataFrame,
    outlines: DataFrame,
    scores: DataFrame,
    owners: DataFrame,
    choices: settings.Metrics,
    directory: RunDirectory,
    counts: Counts,
    steps: Steps,
) -> ProgressRead:
    """The rows of the learners with these enrolments, from one pass over progress."""
    with steps("read progress") as step:
        contents = progress.assess_progress(sources.frame(PROGRESS))
        seen, matched = Observation(), Observation()
        observed = contents.observe(seen, *refusals.refusal_counts(*refusals.PROGRESS_REASONS))
        words = progress.progress_words(refusals.accepted(observed), courses.numbered_leaves(outlines))
        placed_progress = progress.with_progress(enrolments_by_key, words).observe(
            matched, *progress.matched_progress_counts()
        )
        by_collection = progress.progress_by_collection(placed_progress, courses.collection_masks(outlines))
        course_scores = quizzes.scores_by_enrolment(scores) if choices.scores_in_course else None
        rows = learners.learner_rows(
            catalog.owned(by_collection, owners),
            catalog.owned(scores, owners),
            course_scores,
            choices.completion == "sticky",
        )
        rows.write.parquet(directory.work("learners"))
        step.rows = _count(counts, "progress", refusals.PROGRESS_REASONS, seen, matched, orphans="orphan_progress")
    written = rows.sparkSession.read.schema(rows.schema).parquet(directory.work("learners"))
    return ProgressRead(written, refusals.refused(contents, "user_id", "course_id", "batch_id", "content_id"))


def _count(
    counts: Counts, source: str, reasons: tuple[str, ...], seen: Observation, matched: Observation, orphans: str
) -> int:
    """Take over what was observed; what was accepted and belongs to no enrolment row are the orphans."""
    found, placed = seen.get, dict(matched.get)
    counts[f"read.{source}"] = read = found["read"]
    refused = {f"refused.{source}.{reason}": found[reason] for reason in reasons}
    counts.update(refused)
    counts[f"counted.{orphans}"] = read - sum(refused.values()) - placed.pop("matched")
    counts.update({f"counted.{name}": rows for name, rows in placed.items()})
    return int(read)
