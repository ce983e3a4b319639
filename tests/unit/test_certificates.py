"""The certificates of an embedded Cassandra, in handshakes without a network."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from scripts.embedded.certificates import Certificates, make


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return make(tmp_path / "tls", ["127.0.0.1", "127.0.0.2"])


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2"])
def test_who_trusts_the_authority_trusts_the_node_at_each_of_its_addresses(made: Certificates, address: str) -> None:
    assert shake_hands(made, ssl.create_default_context(cafile=made.authority), address) == "TLSv1.3"


def test_the_node_is_not_trusted_at_another_address(made: Certificates) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        shake_hands(made, ssl.create_default_context(cafile=made.authority), "127.0.0.3")


def test_every_start_has_an_authority_of_its_own(made: Certificates, tmp_path: Path) -> None:
    other = make(tmp_path / "other", ["127.0.0.1"])
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(made, ssl.create_default_context(cafile=other.authority), "127.0.0.1")


def test_only_its_owner_can_read_a_private_key_also_in_the_place_of_an_open_file(tmp_path: Path) -> None:
    (tmp_path / "node.pem").touch(mode=0o644)
    made = make(tmp_path, ["127.0.0.1"])
    private = {path: path.stat().st_mode & 0o777 for path in tmp_path.iterdir() if b"PRIVATE KEY" in path.read_bytes()}
    assert private == {made.node: 0o600, made.client: 0o600}
    assert made.keystore.stat().st_mode & 0o777 == 0o600


def test_the_node_knows_clients_of_its_authority_and_no_others(made: Certificates, tmp_path: Path) -> None:
    context = ssl.create_default_context(cafile=made.authority)
    context.load_cert_chain(made.client)
    assert shake_hands(made, context, "127.0.0.1", of_clients=True) == "TLSv1.3"
    context.load_cert_chain(make(tmp_path / "other", ["127.0.0.1"]).client)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(made, context, "127.0.0.1", of_clients=True)


def shake_hands(
    made: Certificates, client_context: ssl.SSLContext, address: str, *, of_clients: bool = False
) -> str | None:
    """The version of TLS that client and node agree on."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(made.node)
    if of_clients:
        server_context.verify_mode = ssl.CERT_REQUIRED
        server_context.load_verify_locations(made.authority)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=address)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    while waiting:
        side = waiting.pop(0)
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            waiting.append(side)
    return client.version()
