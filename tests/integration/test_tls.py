"""Nodes that know each other by HTTPS: one behind nginx, one that ends TLS itself; both answer members only."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from asking import credentials_of
from hashpact_keys.keystore import KeyStore
from hashpact_node import clock
from hashpact_node.services.setup import Founding, make_home
from hashpact_node.settings import Settings
from hashpact_node.store.database import open_database
from hashpact_protocol.witness import origin_hash
from material import drafts
from nodes import PASSPHRASE, TestNode, free_port, wait_until

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name localhost;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        proxy_set_header X-Forwarded-For $remote_addr;
        location ~ ^/pact/(trust|logs|witness|mirror)/ {{ proxy_pass http://127.0.0.1:{behind}; }}
        location / {{ return 404; }}
    }}
}}
"""


@dataclass(frozen=True)
class Certificates:
    """A certificate for loopback that signs itself, which nodes of a test are told to trust."""

    certificate: Path
    key: Path

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))


@dataclass
class SecureNode(TestNode):
    """A node whose peers reach it by HTTPS; ``below`` is the path of its member URL."""

    public_port: int = 0
    below: str = ""

    @property
    def url(self) -> str:
        return f"https://localhost:{self.public_port}{self.below}"

    @property
    def origin(self) -> str:
        return f"localhost:{self.public_port}{self.below}/logs/listings-1"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    now = clock.now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    found = Certificates(folder / "certificate.pem", folder / "key.pem")
    found.certificate.write_bytes(made.public_bytes(Encoding.PEM))
    found.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return found


def make(folder: Path, member: str, port: int, below: str, certificates: Certificates, **settings: str) -> SecureNode:
    """Set up a node that its peers reach at this port."""
    home = folder / member
    home.mkdir()
    told = {
        "HASHPACT_ALLOW_NETWORKS": "127.0.0.0/8,::1/128",
        "HASHPACT_PULL_INTERVAL_SECONDS": "3600",
        "SSL_CERT_FILE": str(certificates.certificate),
        **settings,
    }
    url = f"sqlite:///{home / 'node.sqlite3'}"
    node = SecureNode(member, home, free_port(), url, "", told, public_port=port, below=below)
    database = open_database(url)
    try:
        keystore = KeyStore(home, PASSPHRASE.encode, kdf_rounds=1)
        founding = Founding(member, node.url, member.capitalize())
        made = make_home(Settings(home=home, database_url=url), founding, keystore, database, now=clock.now)
    finally:
        database.dispose()
    return replace(node, fingerprint=made.fingerprint)


@contextmanager
def nginx(folder: Path, node: SecureNode, certificates: Certificates) -> Iterator[None]:
    """Let nginx end TLS before a node, for the body."""
    assert NGINX is not None
    place = folder / "nginx.conf"
    place.write_text(
        CONFIGURATION.format(
            folder=folder,
            port=node.public_port,
            behind=node.port,
            certificate=certificates.certificate,
            key=certificates.key,
        )
    )
    with (folder / "nginx.log").open("ab") as log:
        process = subprocess.Popen([NGINX, "-c", str(place), "-p", str(folder)], stdout=log, stderr=log)
    try:
        wait_until(lambda: answers(node, certificates), seconds=90)
        yield
    finally:
        process.terminate()
        process.wait(30)


def answers(node: SecureNode, certificates: Certificates) -> bool:
    with suppress(httpx.HTTPError):
        answer = httpx.get(f"{node.url}/trust/metadata/timestamp.json", verify=certificates.context, timeout=5)
        return answer.status_code == 200
    return False


def serve(node: SecureNode) -> None:
    """Run a node; it is up when something listens, whatever that speaks."""
    line = [str(Path(sys.executable).parent / "hashpact"), "serve", "--port", str(node.port)]
    with (node.home / "serve.log").open("ab") as log:
        node.process = subprocess.Popen(line, env=node.environment, stdout=log, stderr=log)


@contextmanager
def two(folder: Path, certificates: Certificates) -> Iterator[tuple[SecureNode, SecureNode]]:
    """Acme behind nginx, with a path in its URL; beta, which ends TLS itself; both follow each other."""
    acme = make(folder, "acme", free_port(), "/pact", certificates)
    port = free_port()
    tls = {"HASHPACT_TLS_CERTIFICATE": str(certificates.certificate), "HASHPACT_TLS_KEY": str(certificates.key)}
    beta = replace(make(folder, "beta", port, "", certificates, **tls), port=port)
    serve(acme)
    serve(beta)
    try:
        with nginx(folder, acme, certificates):
            wait_until(lambda: answers(beta, certificates), seconds=90)
            for one, other in ((acme, beta), (beta, acme)):
                told = ("peer", "add", other.member, other.url, "--fingerprint", other.fingerprint, "--yes")
                done = one.command(*told)
                assert done.returncode == 0, done.stderr
            yield acme, beta
    finally:
        acme.kill()
        beta.kill()


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed: apt-get install nginx-light")
def test_nodes_meet_by_https_and_answer_members_only(tmp_path: Path, certificates: Certificates) -> None:
    with two(tmp_path, certificates) as (acme, beta):
        for publisher, reader, seed in ((acme, beta, 1), (beta, acme, 2)):
            listing = drafts(seed)[seed - 1]
            place = tmp_path / f"{publisher.member}.ndjson"
            place.write_text(f"{json.dumps(listing)}\n")
            done = publisher.command("import", str(place))
            assert done.returncode == 0, done.stderr
            wait_until(lambda reader=reader, publisher=publisher: reader.log(publisher).held_size == 1, seconds=120)
        for node in (acme, beta):
            checkpoint = f"{node.url}/logs/listings-1/checkpoint"
            witness = f"{node.url}/witness/{origin_hash(node.origin)}/checkpoint"
            for url in (checkpoint, witness):
                assert httpx.get(url, verify=certificates.context, timeout=30).status_code == 401
        other = credentials_of("beta", beta.home, PASSPHRASE)
        url = f"{acme.url}/logs/listings-1/checkpoint"
        answer = httpx.get(url, headers=other.headers("GET", url), verify=certificates.context, timeout=30)
        assert (answer.status_code, answer.text.partition("\n")[0]) == (200, acme.origin)
        assert httpx.get(f"{acme.url}/v1/status", verify=certificates.context, timeout=30).status_code == 404
