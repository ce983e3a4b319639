"""What `config show` hides: a list to walk, of what people put into settings of Spark and of sources."""

from __future__ import annotations

import pytest

from activity_aggregates.configuration import flag_values, load
from activity_aggregates.errors import BadRequest
from activity_aggregates.layers import default_layer
from activity_aggregates.masking import HIDDEN, is_secret, masked, without_secrets
from jobs.config import masked as shown

HUSH = "hush-hush"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1MSJ9.c2lnbmF0dXJl"

SECRETS = [
    "fs.s3a.secret.key",
    "fs.s3a.access.key",
    "fs.s3a.session.token",
    "fs.s3a.encryption.key",
    "fs.s3a.bucket.runs.secret.key",
    "spark.hadoop.fs.azure.account.key.store.dfs.core.windows.net",
    "fs.azure.sas.container.store.blob.core.windows.net",
    "fs.azure.sas.fixed.token.store.dfs.core.windows.net",
    "fs.azure.account.oauth2.client.secret",
    "fs.gs.auth.service.account.private.key",
    "fs.adl.oauth2.credential",
    "fs.swift2d.password",
    "spark.ssl.keyPassword",
    "spark.ssl.trustStorePassword",
    "spark.authenticate.secret",
    "kafka.sasl.jaas.config",
    "kafka.ssl.key.password",
    "kafka.ssl.keystore.password",
    "kafka.ssl.keystore.key",
    "kafka.ssl.truststore.password",
    "kafka.sasl.oauthbearer.client.credentials.client.secret",
    "spark.eventhubs.connectionString",
    "jwt",
    "password",
    "dbPwd",
    "api_key",
    "apiKey",
    "AWS_SECRET_ACCESS_KEY",
    "spark.kubernetes.authenticate.oauthToken",
    "sig",
]
NO_SECRETS = [
    "password_env",
    "password_file",
    "secret_env",
    "paging_secret_file",
    "key_file",
    "user_id_claim",
    "scope_claim",
    "fs.s3a.aws.credentials.provider",
    "hadoop.security.credential.provider.path",
    "fs.azure.account.auth.type",
    "fs.azure.account.oauth2.client.id",
    "fs.azure.account.oauth2.client.endpoint",
    "spark.kubernetes.authenticate.oauthTokenFile",
    "spark.ssl.trustStore",
    "kafka.bootstrap.servers",
    "kafka.security.protocol",
    "kafka.ssl.keystore.location",
    "kafka.ssl.keystore.type",
    "kafka.ssl.keystore.certificate.chain",
    "kafka.sasl.mechanism",
    "spark.sql.shuffle.partitions",
    "fs.s3a.endpoint",
    "partition_key",
    "compass",
    "spinner",
    "message",
]
VALUES = [
    ("s3a://AKIAKEY:{}@bucket/runs", "s3a://AKIAKEY:***@bucket/runs"),
    ("https://u:{}@example.org:8443/x?a=1", "https://u:***@example.org:8443/x?a=1"),
    ("jdbc:postgresql://db/x?user=me&password={}&ssl=true", "jdbc:postgresql://db/x?user=me&password=***&ssl=true"),
    ("jdbc:sqlserver://db;user=me;password={};encrypt=true", "jdbc:sqlserver://db;user=me;password=***;encrypt=true"),
    ("https://store.blob.core.windows.net/c?sv=2024&sig={}", "https://store.blob.core.windows.net/c?sv=2024&sig=***"),
    ("https://bucket.s3/x?X-Amz-Signature={}&X-Amz-Date=1", "https://bucket.s3/x?X-Amz-Signature=***&X-Amz-Date=1"),
    ("Endpoint=sb://x/;SharedAccessKeyName=n;SharedAccessKey={}", None),
    ("DefaultEndpointsProtocol=https;AccountName=n;AccountKey={}==", None),
    ("-Xmx2g -Djavax.net.ssl.trustStorePassword={} -Dx=1", "-Xmx2g -Djavax.net.ssl.trustStorePassword=*** -Dx=1"),
    ('ScramLoginModule required username="me" password="{}";', 'ScramLoginModule required username="me" password=***;'),
    (f"Bearer {JWT}", "Bearer ***"),
    ("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----", "***"),
]
PLAIN = [
    "s3a://bucket/runs",
    "http://[::1]:8080/x",
    "https://user@example.org/x",
    "local[*]",
    "com.example.PasswordProvider",
    "org.apache.hadoop.fs.s3a.TemporaryAWSCredentialsProvider",
    "CASSANDRA_PASSWORD",
    "2026-01-01T00:00:00Z",
    "/etc/keys/token.pem",
]


@pytest.mark.parametrize("key", SECRETS)
def test_a_value_is_hidden_for_what_it_is_for(key: str) -> None:
    assert masked(key, HUSH) == HIDDEN


@pytest.mark.parametrize("key", NO_SECRETS)
def test_what_only_names_a_secret_or_is_like_one_is_shown(key: str) -> None:
    assert masked(key, "shown") == "shown"


@pytest.mark.parametrize(("value", "expected"), VALUES)
def test_a_secret_inside_of_a_value_is_hidden(value: str, expected: str | None) -> None:
    found = without_secrets(value.replace("{}", HUSH))
    assert HUSH not in found
    assert JWT not in found
    assert expected is None or found == expected


@pytest.mark.parametrize("value", PLAIN)
def test_what_holds_no_secret_is_shown_as_it_is(value: str) -> None:
    assert without_secrets(value) == value


def test_none_of_the_defaults_is_hidden() -> None:
    assert HIDDEN not in shown(load(None, {}, {}), {})


@pytest.mark.parametrize("key", SECRETS)
def test_no_command_shows_it(key: str) -> None:
    flags = {f"{options}.{key}": HUSH for options in ("spark.conf", "sources.attempts.options", "events.options")}
    assert HUSH not in shown(load(None, {}, flags), {})


@pytest.mark.parametrize("value", [value.replace("{}", HUSH) for value, _ in VALUES if "\n" not in value])
def test_a_secret_that_a_flag_would_show_to_all_is_refused_also_inside_of_a_value(value: str) -> None:
    with pytest.raises(BadRequest) as caught:
        flag_values([f"staging.dir={value}"])
    assert HUSH not in str(caught.value)


def test_a_wrong_value_is_told_without_its_secret() -> None:
    with pytest.raises(BadRequest) as caught:
        load(None, {}, {"api.port": f"https://u:{HUSH}@example.org"})
    assert HUSH not in str(caught.value)


MISTYPED = [
    "{spark.cassandra.auth.password:hush-hush}",
    "{spark.cassandra.auth.password=hush-hush}",
    '{"spark.cassandra.auth.password hush-hush"}',
    "[spark.cassandra.auth.password: hush-hush]",
    "[[{a: {spark.cassandra.auth.password: hush-hush}}]]",
    "{spark.cassandra.auth.password: *hush-hush}",
    "{spark.cassandra.auth.password: !hush-hush}",
    "{spark.cassandra.auth.password: !!hush-hush x}",
    "{spark.cassandra.auth.password: &hush-hush a, b: &hush-hush c}",
    "{spark.cassandra.auth.password: a, hush-hush}",
    "{spark.cassandra.auth.password:hush-hush, spark.cassandra.auth.password:hush-hush}",
    "{fs.s3a.secret.key:hush-hush}",
]


@pytest.mark.parametrize("text", MISTYPED)
@pytest.mark.parametrize("section", ["SOURCES__ENROLMENTS__OPTIONS", "SPARK__CONF", "EVENTS__OPTIONS", "CASSANDRA"])
def test_a_mistyped_option_is_told_without_its_secret(section: str, text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        load(None, {f"ACTIVITY_AGGREGATES__{section}": text}, {})
    assert "hush" not in str(caught.value).lower()


@pytest.mark.parametrize(
    "text", ["{spark.cassandra.auth.password: a, 123}", "{spark.cassandra.auth.password: a, 123, 123}"]
)
def test_a_number_that_was_part_of_a_secret_is_not_told(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        load(None, {"ACTIVITY_AGGREGATES__SPARK__CONF": text}, {})
    assert "123" not in str(caught.value)


def test_a_secret_in_a_flag_without_an_assignment_is_not_told() -> None:
    with pytest.raises(BadRequest) as caught:
        flag_values([f"spark.conf.fs.s3a.secret.key:{HUSH}"])
    assert HUSH not in str(caught.value)


def test_every_setting_of_ours_is_none_itself() -> None:
    """Secrets are named, by a variable or a file: no key of our own may hold one."""
    own = [keys[-1] for keys in default_layer() if keys[:2] != ("spark", "conf")]
    assert [key for key in own if is_secret(key)] == []
