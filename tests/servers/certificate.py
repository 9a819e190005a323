"""A certificate for the loopback address, signed by a throw-away authority."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Certificate:
    """Three files: the authority that clients must trust, and the server's certificate and key."""

    authority: Path
    certificate: Path
    key: Path


def certificate(folder: Path) -> Certificate:
    """Make the three in the folder, good for a day."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Certificate(folder / "authority.pem", folder / "server.pem", folder / "server.key")
    authority, server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    name = _name("Tests' authority")
    basic = x509.BasicConstraints(ca=True, path_length=0)
    own = _builder(name, name, authority).add_extension(basic, critical=True).sign(authority, SHA256())
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    signed = _builder(_name("127.0.0.1"), name, server).add_extension(address, critical=False)
    made.authority.write_bytes(own.public_bytes(Encoding.PEM))
    made.certificate.write_bytes(signed.sign(authority, SHA256()).public_bytes(Encoding.PEM))
    made.key.write_bytes(server.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
