"""A certificate authority that only the tests trust, and a certificate for the hosts of Azure."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOSTS = (
    "management.azure.com",
    "login.microsoftonline.com",
    "*.westeurope.batch.azure.com",
    "*.blob.core.windows.net",
    "localhost",
)


def write_certificates(folder: Path, hosts=HOSTS, last_day: int = 1) -> None:
    """Write `ca.pem`, and a certificate signed by it (`cert.pem`, `key.pem`), valid for another `last_day` days."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _name("tigerbush tests")
    ca = (
        _builder(authority, authority, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    names = [*map(x509.DNSName, hosts), x509.IPAddress(ip_address("127.0.0.1"))]
    certificate = (
        _builder(_name("azure"), authority, key, last_day)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(subject, issuer, key, last_day=1):
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + timedelta(days=last_day))
    )
