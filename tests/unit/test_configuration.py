"""Layers, types and messages of the settings."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import run
from sys import executable
from typing import Any
from zipfile import ZipFile

import pytest
import yaml

import activity_aggregates
from activity_aggregates.configuration import Configuration, flag_values, load
from activity_aggregates.errors import BadRequest
from activity_aggregates.layers import Conf, default_layer, dotted
from activity_aggregates.settings import OWN_COLUMNS, RESERVED_WORDS, Source
from activity_aggregates.store.targets import KEY_COLUMNS
from jobs.config import masked, plain
from scripts.embedded.artifacts import CASSANDRA, NEWEST
from scripts.embedded.jars import jars

WriteConf = Callable[[str], Path]


@pytest.fixture
def conf(tmp_path: Path) -> WriteConf:
    def write(text: str) -> Path:
        file = tmp_path / "prod.yaml"
        file.write_text(text, "utf-8")
        return file

    return write


def loaded(
    conf: Conf = None, environ: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None
) -> Configuration:
    return load(conf, environ or {}, flags or {})


def refused(conf: Conf = None, environ: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None) -> str:
    with pytest.raises(BadRequest) as caught:
        loaded(conf, environ, flags)
    return str(caught.value)


def test_every_setting_has_a_default() -> None:
    assert set(loaded().origins.values()) == {"default"}


@pytest.mark.parametrize("key", [dotted(keys) for keys in default_layer()])
def test_every_setting_has_a_type(key: str) -> None:
    assert key in refused(flags={key: [{}]})


def test_a_later_layer_wins_and_each_value_knows_its_origin(conf: WriteConf) -> None:
    file = conf("limits: {refused_share: 0.3, retracted_share: 0.3, clock_skew: 3}")
    environ = {
        "ACTIVITY_AGGREGATES__LIMITS__RETRACTED_SHARE": "0.4",
        "activity_aggregates__limits__clock_skew": "4",
    }
    configuration = loaded(file, environ, {"limits.clock_skew": 5.5})
    limits = configuration.settings.limits
    assert (limits.refused_share, limits.retracted_share, limits.clock_skew) == (0.3, 0.4, 5.5)
    assert configuration.origins["limits.refused_share"] == str(file)
    assert configuration.origins["limits.retracted_share"] == "ACTIVITY_AGGREGATES__LIMITS__RETRACTED_SHARE"
    assert configuration.origins["limits.clock_skew"] == "--set limits.clock_skew"
    assert configuration.origins["limits.retracted_floor"] == "default"


def test_of_several_files_a_later_one_wins_and_the_others_still_hold(conf: WriteConf, tmp_path: Path) -> None:
    base, north = conf("limits: {refused_share: 0.3, clock_skew: 3}\nlease: {ttl: 5}"), tmp_path / "north.yaml"
    north.write_text("limits: {clock_skew: 4}", "utf-8")
    configuration = loaded([base, north])
    limits = configuration.settings.limits
    assert (limits.refused_share, limits.clock_skew, configuration.settings.lease.ttl) == (0.3, 4, 5)
    origins = [configuration.origins[f"limits.{key}"] for key in ("refused_share", "clock_skew", "retracted_share")]
    assert origins == [str(base), str(north), "default"]
    assert refused([base, tmp_path / "no.yaml"]).startswith(f"--conf {tmp_path}/no.yaml cannot be read")


def test_mappings_merge_and_lists_are_replaced(conf: WriteConf) -> None:
    settings = loaded(conf("cassandra: {contact_points: [a, b], tls: {enabled: true}}")).settings
    assert settings.cassandra.contact_points == ["a", "b"]
    assert settings.cassandra.tls.enabled
    assert settings.cassandra.tls.check_hostname


def test_the_short_variables_name_the_cluster_and_the_long_form_wins() -> None:
    environ = {"CASSANDRA_CONTACT_POINTS": "db1, db2", "CASSANDRA_PORT": "9142"}
    cassandra = loaded(environ=environ).settings.cassandra
    assert (cassandra.contact_points, cassandra.port) == (["db1", "db2"], 9142)
    assert loaded(environ=environ | {"ACTIVITY_AGGREGATES__CASSANDRA__PORT": "9"}).settings.cassandra.port == 9


@pytest.mark.parametrize(
    ("variable", "key"),
    [
        ("METADATA__FIELDS__PRIMARYCATEGORY", "metadata.fields.primaryCategory"),
        ("metadata__batches__startdate", "metadata.batches.startDate"),
        ("METADATA__FIELDS__OWNKEY", "metadata.fields.ownKey"),
        ("Metadata__Fields__mimeType", "metadata.fields.mimeType"),
        ("PROMETHEUS__LABELS__NORTH", "prometheus.labels.north"),
        ("SPARK__CONF__spark.driver.extraJavaOptions", "spark.conf.spark.driver.extraJavaOptions"),
        ("SPARK__CONF__SPARK.UI.PORT", "spark.conf.spark.ui.port"),
    ],
)
def test_a_variable_names_a_key_in_any_case(conf: WriteConf, variable: str, key: str) -> None:
    value = "earliest_start" if "batches" in key else "x"
    found = loaded(conf("metadata: {fields: {ownKey: own}}"), {f"ACTIVITY_AGGREGATES__{variable}": value})
    assert found.origins[key] == f"ACTIVITY_AGGREGATES__{variable}"


def test_a_source_that_is_not_there_yet_is_named_by_a_variable() -> None:
    said = {"FORMAT": "csv", "PATH": "/x", "CHANGED_AT": "day"}
    environ = {f"ACTIVITY_AGGREGATES__SOURCES__GROUPS__{key}": value for key, value in said.items()}
    assert loaded(environ=environ).settings.sources.groups == Source(format="csv", path="/x", changed_at="day")


def test_an_empty_variable_says_nothing() -> None:
    assert loaded(environ={"ACTIVITY_AGGREGATES__SOURCES__ATTEMPTS": "", "CASSANDRA_PORT": ""}) == loaded()


def test_null_removes_a_source(conf: WriteConf) -> None:
    assert loaded(conf("sources: {attempts: null}")).settings.sources.attempts is None


def test_a_source_of_another_format_keeps_its_columns_only(conf: WriteConf) -> None:
    hierarchies = loaded(conf("sources: {hierarchies: {format: json, path: /data}}")).settings.sources.hierarchies
    assert (hierarchies.keyspace, hierarchies.table, hierarchies.options) == (None, None, {})
    assert hierarchies.columns["course_id"] == "identifier"


def test_a_replication_is_never_blended(conf: WriteConf) -> None:
    file = conf("target: {replication: {class: NetworkTopologyStrategy, dc1: 3}}")
    flags = flag_values(["target.replication={class: SimpleStrategy, replication_factor: 1}"])
    assert loaded(file, flags=flags).settings.target.replication == {"class": "SimpleStrategy", "replication_factor": 1}


def test_a_key_of_spark_may_hold_dots() -> None:
    assert loaded(flags={"spark.conf.spark.ui.enabled": False}).settings.spark.conf == {"spark.ui.enabled": False}


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("limits.refused_shre", "limits.refused_share"),
        ("limit", "limits"),
        ("cassandra.keyspace", "target.keyspace"),
        ("cassandra.password", "cassandra.password_env"),
        ("sources.progress.keyspce", "sources.progress.keyspace"),
        ("sources.progress.columns.user_di", "sources.progress.columns.user_id"),
        ("target.tables.activity_ag", "target.tables.activity_agg"),
    ],
)
def test_an_unknown_key_is_told_the_nearest_known_one(key: str, nearest: str) -> None:
    assert refused(flags={key: "hunter2"}) == f"{key} (--set {key}) is not a setting; the nearest is {nearest}"


def test_an_unknown_key_like_no_other_is_told_what_its_section_has() -> None:
    has = "metrics has families, carry, time_zone, course_types, completion, scores_in_course"
    assert refused(flags={"metrics.zzz": 1}).endswith(f"is not a setting; {has}")


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("cassandra.port", "9042", 'must be a valid integer, not "9042"'),
        ("cassandra.contact_points", "db1", 'must be a list, not "db1"'),
        ("cassandra.contact_points", [], "must have at least 1 item, not []"),
        ("limits.refused_share", 20, "must be less than or equal to 1, not 20"),
        ("limits.clock_skew", float("nan"), "must be a finite number, not NaN"),
        ("staging.keep_days", 1_000_000, "must be less than or equal to 7300, not 1000000"),
        ("staging.quarantine_days", 7301, "must be less than or equal to 7300, not 7301"),
        ("events.keep_days", 7301, "must be less than or equal to 7300, not 7301"),
        ("incremental.lookback", 1e11, "must be less than or equal to 31536000, not 100000000000.0"),
        ("lease.ttl", 86_401, "must be less than or equal to 86400, not 86401"),
        ("api.leeway", 1e300, "must be less than or equal to 31536000, not 1e+300"),
        ("metrics.completion", "stuck", "must be 'sticky' or 'current', not \"stuck\""),
        ("metrics.scores_in_course", {"a": 1}, "must be a valid boolean, not a mapping"),
        ("limits", None, "must be a mapping, not null"),
        ("sources.enrolments", None, "must be a mapping, not null"),
        ("target.keyspace", "x; DROP", "must match pattern '^[a-z][a-z0-9_]{0,47}$', not \"x; DROP\""),
        ("target.replication.dc1", 1.5, "must be a valid string or be a valid integer, not 1.5"),
        ("spark.conf.spark.api.token", ["hunter2"], "or be a valid boolean, not ***"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(key: str, value: object, sentence: str) -> None:
    message = refused(flags={key: value})
    assert message.startswith(f"{key} (--set {key}) must ")
    assert message.endswith(sentence)


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("{keyspace: sunbird_groups}", "has no format"),
        ("{format: cassandra, keyspace: sunbird_groups}", "of format cassandra has no table"),
        ("{format: csv, table: group}", "of format csv has no path and a table"),
    ],
)
def test_a_source_that_is_given_in_part_shows_its_two_shapes(conf: WriteConf, source: str, wrong: str) -> None:
    file = conf(f"sources: {{groups: {source}}}")
    assert refused(file) == (
        f"sources.groups ({file}) {wrong}: "
        "write {format: cassandra, keyspace: …, table: …} or {format: parquet | csv | json, path: …}"
    )


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("keyspace: schema", "target.keyspace ({}) is schema, a reserved word of CQL: name it otherwise"),
        (
            "tables: {activity_agg: table}",
            "target.tables.activity_agg ({}) is table, a reserved word of CQL: name it otherwise",
        ),
        (
            "tables: {activity_agg: aggregate_runs}",
            "target.tables.activity_agg ({}) and aggregate_runs are both aggregate_runs: give each a name of its own",
        ),
        (
            "columns: {agg: agg_last_updated}",
            "target.columns.agg ({}) and agg_last_updated are both agg_last_updated: give each a name of its own",
        ),
        ("columns: {agg: user_id}", "target.columns.agg ({}) is user_id, a column of the key: name it otherwise"),
    ],
)
def test_names_that_the_target_cannot_have_are_refused(conf: WriteConf, target: str, sentence: str) -> None:
    file = conf(f"target: {{{target}}}")
    assert refused(file) == sentence.format(file)


def test_the_reserved_words_are_those_that_cassandra_lists() -> None:
    (jar,) = (jar for jar in jars(CASSANDRA[NEWEST]) if jar.name.startswith("cassandra-all-"))
    with ZipFile(jar) as classes:
        listed = classes.read("org/apache/cassandra/cql3/reserved_keywords.txt").decode().splitlines()
    assert {line.lower() for line in listed if line and not line.startswith("#")} == RESERVED_WORDS


def test_the_columns_that_the_target_has_itself_are_those_of_its_keys() -> None:
    assert OWN_COLUMNS == KEY_COLUMNS


def test_hosts_that_name_nobody_are_refused() -> None:
    assert refused(environ={"CASSANDRA_CONTACT_POINTS": " ,"}) == (
        "CASSANDRA_CONTACT_POINTS ' ,' names no host: write host,host"
    )
    environ = {"CASSANDRA_CONTACT_POINTS": "db1,, db2,"}
    assert loaded(environ=environ).settings.cassandra.contact_points == ["db1", "db2"]


def test_all_mistakes_are_told_at_once(conf: WriteConf) -> None:
    message = refused(conf("limit: 1\ncassandra: {port: x}"), {"ACTIVITY_AGGREGATES__LEASE__TTL": "0"})
    assert [line.split()[0] for line in message.splitlines()] == ["limit", "cassandra.port", "lease.ttl"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- a", "is not a mapping of settings"),
        ("[]", "is not a mapping of settings"),
        ("a: 1\n b: [", "is not YAML in line 2"),
    ],
)
def test_a_file_that_holds_no_settings_is_named(conf: WriteConf, text: str, sentence: str) -> None:
    assert f"prod.yaml {sentence}" in refused(conf(text))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "limits:\n  refused_share: 0.1\n  clock_skew: 1\n  refused_share: 1",
            "the key refused_share is given twice, in lines 2 and 4",
        ),
        ("lease: {ttl: 5}\nlog: {format: json}\n'lease': {ttl: 9}", "the key lease is given twice, in lines 1 and 3"),
        ("spark: {conf: {spark.ui.port: 1, spark.ui.port: 2}}", "the key spark.ui.port is given twice, in line 1"),
    ],
)
def test_a_setting_that_a_file_gives_twice_is_named_with_its_lines(conf: WriteConf, text: str, sentence: str) -> None:
    file = conf(text)
    assert refused(file) == f"in {file} {sentence}: leave out one of them"


def test_what_a_file_takes_over_from_an_anchor_may_be_said_anew(conf: WriteConf) -> None:
    text = "sources:\n  users: &table {format: cassandra, keyspace: k, table: t}\n  groups: {<<: *table, table: g}"
    assert loaded(conf(text)).settings.sources.groups == Source(format="cassandra", keyspace="k", table="g")


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    assert refused(
        tmp_path / "no.yaml"
    ) == f"--conf {tmp_path}/no.yaml cannot be read (No such file or directory): " + ("name a YAML file")


def test_a_flag_without_a_value_is_refused() -> None:
    with pytest.raises(BadRequest, match=r"write --set section\.key=value"):
        flag_values(["limits.refused_share"])


@pytest.mark.parametrize(
    ("label", "sentence"),
    [
        ("status", "is a label that the metrics have themselves: name it otherwise"),
        ("my-label", "is not the name of a label: write letters, digits and _, a letter first"),
        ("__name__", "is not the name of a label: write letters, digits and _, a letter first"),
    ],
)
def test_a_label_that_prometheus_would_refuse_is_named(conf: WriteConf, label: str, sentence: str) -> None:
    file = conf(f"prometheus: {{labels: {{{label}: north}}}}")
    assert refused(file) == f"prometheus.labels.{label} ({file}) {sentence}"


def test_a_deployment_has_labels_of_its_own(conf: WriteConf) -> None:
    labels = loaded(conf("prometheus: {labels: {deployment: north}}")).settings.prometheus.labels
    assert labels == {"deployment": "north"}


def test_a_password_of_cassandra_is_refused_among_the_spark_settings() -> None:
    message = refused(flags={"spark.conf.spark.cassandra.auth.password": "hunter2"})
    assert "would stand in the list of processes" in message
    assert "hunter2" not in message


def test_the_digest_follows_the_values_and_neither_their_origin_nor_secrets(conf: WriteConf) -> None:
    same = loaded(conf("lease: {ttl: 60}"), flags={"lease.ttl": 60})
    assert same.digest == loaded().digest
    assert loaded(flags={"lease.ttl": 61}).digest != same.digest
    one, other = (loaded(flags={"spark.conf.fs.s3a.secret.key": secret}) for secret in ("one", "other"))
    assert one.digest == other.digest


def test_what_is_shown_hides_secrets_names_origins_and_can_be_loaded_again(conf: WriteConf) -> None:
    shown = masked(
        loaded(flags={"spark.conf.fs.s3a.secret.key": "hunter2", "lease.ttl": 5}),
        {"CASSANDRA_PASSWORD": "hunter2"},
    )
    assert "hunter2" not in shown
    assert loaded(conf(shown)).settings.spark.conf == {"fs.s3a.secret.key": "***"}
    comments = dict(line.strip().split(": ", 1) for line in shown.splitlines() if "  # " in line)
    assert comments["ttl"].split() == ["5", "#", "--set", "lease.ttl"]
    assert comments["password_env"].endswith("default, the variable is set")
    assert comments["keystore_password_env"].endswith("default, the variable is not set")


def test_as_json_the_settings_have_their_types_and_hide_secrets() -> None:
    configuration = loaded(flags={"spark.conf.fs.s3a.secret.key": "hunter2", "lease.ttl": 5})
    shown = plain(configuration, {"CASSANDRA_PASSWORD": "hunter2"})
    assert shown["settings"]["lease"] == {"ttl": 5, "consistency": "LOCAL_SERIAL"}
    assert shown["settings"]["spark"]["conf"] == {"fs.s3a.secret.key": "***"}
    assert (shown["origins"]["lease.ttl"], shown["origins"]["log.format"]) == ("--set lease.ttl", "default")
    assert (shown["variables"]["CASSANDRA_PASSWORD"], shown["variables"]["ERASED_SECRET"]) == (True, False)
    assert "hunter2" not in json.dumps(shown)


def test_the_defaults_are_found_inside_a_zip(tmp_path: Path) -> None:
    package = Path(activity_aggregates.__file__).parent
    archive = tmp_path / "code.zip"
    with zipfile.ZipFile(archive, "w") as code:
        for file in [*package.glob("*.py"), *(package.parent / "conf").glob("[_d]*.*")]:
            code.write(file, file.relative_to(package.parent))
    script = (
        "from activity_aggregates import configuration as c; print(c.__file__, c.load(None, {}, {}).digest, sep='\\n')"
    )
    environ = {"PYTHONPATH": str(archive)}
    printed = run([executable, "-c", script], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True)
    assert printed.stdout.split() == [f"{archive}/activity_aggregates/configuration.py", loaded().digest]


def test_a_secret_is_refused_as_a_flag() -> None:
    with pytest.raises(BadRequest, match=r"--set spark\.conf\.s3a\.secret\.key would stand in the list of processes"):
        flag_values(["spark.conf.s3a.secret.key=hush"])
    assert flag_values(["cassandra.password_env=PASSWORD"]) == {"cassandra.password_env": "PASSWORD"}


@pytest.mark.parametrize("key", ["", "a: b", "#", "no", "- x"])
def test_a_key_that_yaml_would_read_otherwise_is_shown_in_quotes(key: str, conf: WriteConf) -> None:
    found = load(conf(yaml.safe_dump({"spark": {"conf": {key: "1"}}})), {}, {})
    assert yaml.safe_load(masked(found, {}))["spark"]["conf"][key] == "1"
