"""What nodes and clients need to speak TLS: an authority, a certificate for the nodes' addresses, one for the clients.

All are made anew at every start, and nothing can be signed later: the key of the authority is never written.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import (
    PKCS12Certificate,
    serialize_java_truststore,
    serialize_key_and_certificates,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY = "embedded Cassandra authority"
_VALID_DAYS = 365


@dataclass(frozen=True)
class Certificates:
    """PEM files for Python and the nodes, PKCS12 stores for the JVM; private keys are for their owner's eyes only.

    Clients trust `authority`, or `truststore`; `client`, or `keystore`, is what they show of themselves. `node` is the
    nodes' own. Both stores open with `store_password`.
    """

    authority: Path
    node: Path
    client: Path
    truststore: Path
    keystore: Path
    store_password: str = field(repr=False)

    def settings(self, *, of_clients: bool) -> dict[str, object]:
        """The part of cassandra.yaml that lets clients in over TLS and refuses others: without a certificate, too."""
        return {
            "client_encryption_options": {
                "enabled": True,
                "optional": False,
                "require_client_auth": of_clients,
                "ssl_context_factory": {"class_name": "org.apache.cassandra.security.PEMBasedSslContextFactory"},
                "keystore": str(self.node),
                "truststore": str(self.authority),
            }
        }


def make(folder: Path, addresses: Sequence[str]) -> Certificates:
    """An authority of its own, one certificate that names all of the IP addresses, and one for whoever connects."""
    made = Certificates(
        authority=folder / "authority.pem",
        node=folder / "node.pem",
        client=folder / "client.pem",
        truststore=folder / "trust.p12",
        keystore=folder / "client.p12",
        store_password=secrets.token_hex(16),
    )
    authority_key, node_key, client_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    authority = _authority(authority_key)
    node = _signed(_node(node_key, addresses), authority_key)
    client = _signed(_client(client_key), authority_key)
    encryption = BestAvailableEncryption(made.store_password.encode())
    folder.mkdir(parents=True, exist_ok=True)
    made.authority.write_bytes(authority.public_bytes(Encoding.PEM))
    _write_private(made.node, _pem(node_key, node))
    _write_private(made.client, _pem(client_key, client))
    made.truststore.write_bytes(serialize_java_truststore([PKCS12Certificate(authority, b"authority")], encryption))
    _write_private(made.keystore, serialize_key_and_certificates(b"client", client_key, client, None, encryption))
    return made


def _pem(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> bytes:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _name(AUTHORITY)
    usage = _usage(key_cert_sign=True, crl_sign=True)
    return (
        _certificate(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )


def _node(key: ec.EllipticCurvePrivateKey, addresses: Sequence[str]) -> x509.CertificateBuilder:
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address)) for address in addresses])
    return _leaf("embedded Cassandra", key, ExtendedKeyUsageOID.SERVER_AUTH).add_extension(names, critical=False)


def _client(key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    return _leaf("client of the embedded Cassandra", key, ExtendedKeyUsageOID.CLIENT_AUTH)


def _leaf(name: str, key: ec.EllipticCurvePrivateKey, usage: x509.ObjectIdentifier) -> x509.CertificateBuilder:
    return (
        _certificate(_name(name), _name(AUTHORITY), key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    )


def _signed(leaf: x509.CertificateBuilder, authority_key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    return leaf.add_extension(issuer, critical=False).sign(authority_key, hashes.SHA256())


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks differ, also those of a container and its host
        .not_valid_after(now + timedelta(days=_VALID_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, key_cert_sign: bool = False, crl_sign: bool = False, digital_signature: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write_private(path: Path, content: bytes) -> None:
    """Nobody else can read it at any moment, also where an earlier file of that name was open to all."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(content)
