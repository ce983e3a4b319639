"""In which cluster a source is, by the options that it names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from activity_aggregates import configuration, settings
from activity_aggregates.sources.deployed import address, is_in_targets_cluster, of_source, place_options
from activity_aggregates.store.connection import Connection, Tls, connection, spark_options

HOST, PORT = "spark.cassandra.connection.host", "spark.cassandra.connection.port"
DATACENTER = "spark.cassandra.connection.localDC"
BUNDLE = "spark.cassandra.connection.config.cloud.path"


def source(**options: str) -> settings.Source:
    return replace(configuration.load(None, {}, {}).settings.sources.enrolments, options=options)


def by_hosts() -> Connection:
    return replace(connection(configuration.load(None, {}, {}).settings.cassandra, {}), contact_points=("target",))


@pytest.mark.parametrize("option", [HOST, PORT, BUNDLE])
def test_a_source_that_names_a_place_is_not_asked_about_where_the_target_is(option: str) -> None:
    assert is_in_targets_cluster(source())
    assert not is_in_targets_cluster(source(**{option: "9043"}))


def test_a_source_is_named_by_where_it_is() -> None:
    target = configuration.load(None, {}, {}).settings.cassandra
    assert address(target, source()) == address(target) == ("127.0.0.1", 9042)
    assert address(target, source(**{HOST: "db1,db2", PORT: "9043"})) == ("db1", 9043)
    by_bundle = replace(target, secure_connect_bundle="/etc/secure/target.zip")
    assert address(by_bundle) == ("target.zip", 9042)
    assert address(by_bundle, source(**{HOST: "db1"})) == ("db1", 9042)


def test_another_port_is_another_cluster_on_the_same_hosts() -> None:
    reached = of_source(by_hosts(), source(**{PORT: "9043"}))
    assert (reached.contact_points, reached.port) == (("target",), 9043)


def test_hosts_of_a_source_win_over_the_targets_bundle_for_python_and_for_spark() -> None:
    target = replace(by_hosts(), secure_connect_bundle="target.zip")
    elsewhere = source(**{HOST: "other"})
    assert of_source(target, elsewhere).address == "other port 9042"
    assert BUNDLE not in place_options(elsewhere, spark_options(target))
    assert BUNDLE in place_options(source(), spark_options(target))


def test_the_targets_datacenter_is_none_of_a_source_elsewhere() -> None:
    assert of_source(by_hosts(), source(**{PORT: "9043"})).local_datacenter == by_hosts().local_datacenter
    for place in ({HOST: "other"}, {BUNDLE: "source.zip"}):
        assert of_source(by_hosts(), source(**place)).local_datacenter == ""
        assert DATACENTER not in place_options(source(**place), spark_options(by_hosts()))
    named = source(**{HOST: "other", DATACENTER: "east"})
    assert of_source(by_hosts(), named).local_datacenter == "east"


def test_a_bundle_of_a_source_wins_over_the_targets_hosts_and_their_tls() -> None:
    tls = Tls(
        ca_file="ca.pem", cert_file=None, key_file=None, check_hostname=True, truststore_file=None,
        truststore_password=None, keystore_file=None, keystore_password=None,
    )  # fmt: skip
    reached = of_source(replace(by_hosts(), tls=tls), source(**{BUNDLE: "source.zip"}))
    assert (reached.address, reached.tls) == ("source.zip", None)
