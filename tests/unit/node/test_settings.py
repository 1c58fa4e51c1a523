"""Settings from node.toml and the environment."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path

import pytest

from hashpact_node.settings import ENVIRONMENT_ONLY, SETTINGS, Settings, load_settings, write_node_toml
from hashpact_protocol.errors import ConfigurationError, ConflictError


def write(home: Path, text: str) -> None:
    (home / "node.toml").write_text(text, encoding="utf-8")


def test_defaults(tmp_path: Path) -> None:
    settings = load_settings({}, tmp_path)
    assert settings.database_url == f"sqlite:///{tmp_path}/node.sqlite3"
    assert (settings.host, settings.port) == ("127.0.0.1", 8470)
    assert (settings.pull_interval_seconds, settings.pull_jitter_seconds) == (60, 6)
    assert settings.worker_processes == max(1, len(os.sched_getaffinity(0)) - 1)
    assert (settings.fetch_threads, settings.require_witnesses, settings.log_format) == (8, 0, "auto")
    assert (settings.member, settings.url, settings.passphrase_file, settings.allow_networks) == (None, None, None, ())


def test_a_policy_needs_a_directory(tmp_path: Path) -> None:
    assert load_settings({}, tmp_path).directory_policy == "off"
    pin = f"directory_fingerprint = '1:sha256:{'0' * 64}'\n"
    for policy in ("ask", "auto"):
        for rest in ("", pin, "directory_url = 'https://directory.example'\n"):
            write(tmp_path, f"directory_policy = '{policy}'\n{rest}")
            with pytest.raises(ConfigurationError, match="and not which"):
                load_settings({}, tmp_path)
    write(tmp_path, f"directory_url = 'https://directory.example'\n{pin}")
    assert load_settings({"HASHPACT_DIRECTORY_POLICY": "auto"}, tmp_path).directory_policy == "auto"


def test_one_core_still_has_a_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0})
    assert load_settings({}, tmp_path).worker_processes == 1


def test_file_and_environment_say_the_same(tmp_path: Path) -> None:
    write(
        tmp_path,
        """
        member = "acme"
        url = "https://acme.example/pact"
        database_url = "postgresql://acme:secret@db.example/hashpact"
        host = "::1"
        port = 9000
        tls_certificate = "/etc/ssl/acme.pem"
        tls_key = "/etc/ssl/acme.key"
        passphrase_file = "/run/secrets/pass"
        pull_interval_seconds = 5
        pull_jitter_seconds = 0.5
        allow_networks = ["10.1.0.0/16", "fd00::/8"]
        trusted_proxies = ["127.0.0.1/32", "::1/128"]
        require_witnesses = 2
        publish_witnesses = 3
        blob_quota_mib = 5
        worker_processes = 3
        fetch_threads = 4
        four_eyes = true
        release_max_listings = 500
        release_max_withdrawals = 50
        undo_delay_seconds = 30
        log_format = "json"
        report_threshold = 8
        directory_url = "https://directory.example"
        directory_fingerprint = "1:sha256:0000000000000000000000000000000000000000000000000000000000000000"
        directory_policy = "ask"
        name = "Acme Video Inc."

        [keys]
        release = "file:/run/keys/release.key"
        """,
    )
    said = {
        "HASHPACT_NAME": "Acme Video Inc.",
        "HASHPACT_DIRECTORY_URL": "https://directory.example",
        "HASHPACT_DIRECTORY_FINGERPRINT": f"1:sha256:{'0' * 64}",
        "HASHPACT_DIRECTORY_POLICY": "ask",
        "HASHPACT_KEYS": "release=file:/run/keys/release.key",
        "HASHPACT_MEMBER": "acme",
        "HASHPACT_URL": "https://acme.example/pact",
        "HASHPACT_DATABASE_URL": "postgresql://acme:secret@db.example/hashpact",
        "HASHPACT_HOST": "::1",
        "HASHPACT_PORT": "9000",
        "HASHPACT_TLS_CERTIFICATE": "/etc/ssl/acme.pem",
        "HASHPACT_TLS_KEY": "/etc/ssl/acme.key",
        "HASHPACT_PASSPHRASE_FILE": "/run/secrets/pass",
        "HASHPACT_PULL_INTERVAL_SECONDS": "5",
        "HASHPACT_PULL_JITTER_SECONDS": "0.5",
        "HASHPACT_ALLOW_NETWORKS": "10.1.0.0/16, fd00::/8",
        "HASHPACT_TRUSTED_PROXIES": "127.0.0.1/32, ::1/128",
        "HASHPACT_REQUIRE_WITNESSES": "2",
        "HASHPACT_PUBLISH_WITNESSES": "3",
        "HASHPACT_BLOB_QUOTA_MIB": "5",
        "HASHPACT_WORKER_PROCESSES": "3",
        "HASHPACT_FETCH_THREADS": "4",
        "HASHPACT_FOUR_EYES": "true",
        "HASHPACT_RELEASE_MAX_LISTINGS": "500",
        "HASHPACT_RELEASE_MAX_WITHDRAWALS": "50",
        "HASHPACT_UNDO_DELAY_SECONDS": "30",
        "HASHPACT_LOG_FORMAT": "json",
        "HASHPACT_REPORT_THRESHOLD": "8",
    }
    from_file = load_settings({"PATH": "/bin"}, tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert dataclasses.replace(load_settings(said, empty), home=tmp_path) == from_file
    assert from_file.allow_networks == (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))
    assert from_file.trusted_proxies == (ip_network("127.0.0.1/32"), ip_network("::1/128"))
    assert set(said) == {setting.variable for setting in SETTINGS}


def test_environment_wins(tmp_path: Path) -> None:
    write(tmp_path, "port = 9000\nfetch_threads = 2\n")
    settings = load_settings({"HASHPACT_PORT": "9001"}, tmp_path)
    assert (settings.port, settings.fetch_threads) == (9001, 2)


def test_list_and_fields_are_the_same() -> None:
    fields = {field.name for field in dataclasses.fields(Settings)} - {"home", "keys_fixed"}
    assert {setting.name for setting in SETTINGS} == fields
    assert all(setting.description and setting.default for setting in SETTINGS)
    assert all(ENVIRONMENT_ONLY.values())


def test_jitter_follows_the_interval(tmp_path: Path) -> None:
    assert load_settings({"HASHPACT_PULL_INTERVAL_SECONDS": "2"}, tmp_path).pull_jitter_seconds == pytest.approx(0.2)
    with pytest.raises(ConfigurationError, match="longer than"):
        load_settings({"HASHPACT_PULL_INTERVAL_SECONDS": "2", "HASHPACT_PULL_JITTER_SECONDS": "3"}, tmp_path)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "127.0.0.2"])  # noqa: S104  as an operator may wish
def test_hosts(tmp_path: Path, host: str) -> None:
    assert load_settings({"HASHPACT_HOST": host}, tmp_path).host == host


def test_a_certificate_and_its_key_belong_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="tls_key is missing"):
        load_settings({"HASHPACT_TLS_CERTIFICATE": "/etc/ssl/acme.pem"}, tmp_path)
    with pytest.raises(ConfigurationError, match="tls_certificate is missing"):
        load_settings({"HASHPACT_TLS_KEY": "/etc/ssl/acme.key"}, tmp_path)


def test_witnesses_are_a_number_or_a_policy_file(tmp_path: Path) -> None:
    asked = "HASHPACT_REQUIRE_WITNESSES"
    assert load_settings({asked: "64"}, tmp_path).require_witnesses == 64
    assert load_settings({asked: "keys/witness.policy"}, tmp_path).require_witnesses == tmp_path / "keys/witness.policy"
    write(tmp_path, "require_witnesses = '/etc/hashpact/witness.policy'\n")
    assert load_settings({}, tmp_path).require_witnesses == Path("/etc/hashpact/witness.policy")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("port = 1\n\nprot = 9000\n", 3, "did you mean port"),
        ("# passphrase = 1\npassphrase = 'x'\n", 2, "did you mean passphrase_file"),
        ("\n[zebra]\nx = 1\n", 2, "no setting 'zebra'"),
        ("port = 'x'\n", 1, "from 1 to 65535"),
        ("port = 0\n", 1, "from 1 to 65535"),
        ("port = 65536\n", 1, "from 1 to 65535"),
        ("port = true\n", 1, "from 1 to 65535"),
        ("port = 80.0\n", 1, "from 1 to 65535"),
        ("fetch_threads = 0\n", 1, "from 1 to 64"),
        ("pull_interval_seconds = 0\n", 1, "number of seconds"),
        ("pull_interval_seconds = nan\n", 1, "number of seconds"),
        ("pull_interval_seconds = 'soon'\n", 1, "number of seconds"),
        ("pull_interval_seconds = false\n", 1, "number of seconds"),
        ("host = 'acme.example'\n", 1, "no IP address"),
        ("four_eyes = 'perhaps'\n", 1, "neither true nor false"),
        ("host = 5\n", 1, "no text"),
        ("log_format = 'xml'\n", 1, "auto, console, json"),
        ("directory_policy = 'perhaps'\n", 1, "none of off, ask, auto"),
        ("directory_fingerprint = '1:sha256:00'\n", 1, "no fingerprint"),
        ("directory_url = 'directory.example'\n", 1, "no member URL"),
        ("allow_networks = '10.1.0.1/16'\n", 1, "host bits"),
        ("allow_networks = [5]\n", 1, "no text"),
        ("allow_networks = 5\n", 1, "no list"),
        ("url = 'http://acme.example'\n", 1, "not encrypted"),
        ("member = 'Acme'\n", 1, "no member id"),
        ("passphrase_file = ''\n", 1, "no text"),
        ("require_witnesses = 65\n", 1, "from 0 to 64"),
        ("require_witnesses = -1\n", 1, "from 0 to 64"),
        ("require_witnesses = '-1'\n", 1, "from 0 to 64"),
        ("require_witnesses = ''\n", 1, "from 0 to 64"),
        ("require_witnesses = ['witness.policy']\n", 1, "from 0 to 64"),
    ],
)
def test_wrong_file(tmp_path: Path, text: str, line: int, message: str) -> None:
    write(tmp_path, text)
    with pytest.raises(ConfigurationError) as caught:
        load_settings({}, tmp_path)
    assert caught.value.where == f"{tmp_path / 'node.toml'}, line {line}"
    assert message in str(caught.value)
    assert caught.value.mend


@pytest.mark.parametrize("data", [b"port = \n", b"\xff\xfe", b"port = 1\nport = 2\n"])
def test_file_that_is_no_toml(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "node.toml").write_bytes(data)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings({}, tmp_path)


def test_file_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "node.toml").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings({}, tmp_path)


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("HASHPACT_PORT", "tcp://10.0.0.1:8470", "from 1 to 65535"),
        ("HASHPACT_PORT", "08470", "from 1 to 65535"),
        ("HASHPACT_PORT", "", "from 1 to 65535"),
        ("HASHPACT_DATABSE_URL", "x", "did you mean HASHPACT_DATABASE_URL"),
        ("HASHPACT_PASSPHRAZE", "x", "did you mean HASHPACT_PASSPHRASE"),
        ("HASHPACT_HOST", "acme.example", "no IP address"),
        ("HASHPACT_FOUR_EYES", "yes", "neither true nor false"),
        ("HASHPACT_ALLOW_NETWORKS", "here", "no network"),
        ("HASHPACT_PORT", "9" * 300, "…"),
    ],
)
def test_wrong_environment(tmp_path: Path, variable: str, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings({variable: text}, tmp_path)
    assert variable in str(caught.value)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


def test_variables_of_others_are_let_be(tmp_path: Path) -> None:
    environment = {"HASHPACT_HOME": "x", "HASHPACT_PASSPHRASE": "x", "HASHPACT_SERVICE_HOST": "10.0.0.1", "HOME": "/"}
    assert load_settings(environment, tmp_path) == load_settings({}, tmp_path)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://acme:s3cr3t@db.example:5432/x", "postgresql://acme:***@db.example:5432/x"),
        ("postgresql://acme:s3cr3t@with@ats@db.example/x", "postgresql://acme:***@db.example/x"),
        (
            "postgresql://acme@db.example/x?password=s3cr3t&sslmode=require",
            "postgresql://acme@db.example/x?password=***&sslmode=require",
        ),
        ("postgresql:///x?host=/tmp/socket", "postgresql:///x?host=/tmp/socket"),
        ("sqlite:///var/node.sqlite3", "sqlite:///var/node.sqlite3"),
    ],
)
def test_passwords_are_not_shown(tmp_path: Path, url: str, shown: str) -> None:
    settings = load_settings({"HASHPACT_DATABASE_URL": url}, tmp_path)
    assert settings.database_url == url
    assert settings.shown_database_url == shown
    assert "s3cr3t" not in repr(settings)


def test_password_is_not_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings({"HASHPACT_DATABASE_URL": "mysql://acme:s3cr3t@db.example/x"}, tmp_path)
    assert "s3cr3t" not in str(caught.value)
    assert "sqlite:///path" in str(caught.value)


def test_password_in_the_members_url_is_not_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings({"HASHPACT_URL": "https://acme:s3cr3t@acme.example"}, tmp_path)
    assert "s3cr3t" not in str(caught.value)
    assert "https://***@acme.example" in str(caught.value)


def test_written_file_loads(tmp_path: Path) -> None:
    path = write_node_toml(
        tmp_path,
        {
            "member": "acme",
            "url": "https://acme.example",
            "port": 9000,
            "pull_interval_seconds": 1.5,
            "allow_networks": ["10.0.0.0/8"],
            "passphrase_file": 'a "quoted" \\ päth 🗝',
            "keys": {"root": "pkcs11:token=a;object=b?module-path=/m.so", "release": 'file:a "quoted" päth'},
        },
    )
    assert path == tmp_path / "node.toml"
    settings = load_settings({}, tmp_path)
    assert (settings.member, settings.port, settings.pull_interval_seconds) == ("acme", 9000, 1.5)
    assert settings.passphrase_file == Path('a "quoted" \\ päth 🗝')
    assert settings.allow_networks == (ip_network("10.0.0.0/8"),)
    assert settings.keys["root"] == ("pkcs11:token=a;object=b?module-path=/m.so",)
    assert settings.keys["release"] == ('file:a "quoted" päth',)
    assert settings.keys["online"] == ("file:keys/online.key",)
    assert [entry.name for entry in tmp_path.iterdir()] == ["node.toml"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_written_file_never_replaces_one(tmp_path: Path) -> None:
    write(tmp_path, "port = 9000\n")
    with pytest.raises(ConflictError):
        write_node_toml(tmp_path, {"port": 1})
    assert load_settings({}, tmp_path).port == 9000
    assert [entry.name for entry in tmp_path.iterdir()] == ["node.toml"]


@pytest.mark.parametrize("values", [{"prot": 1}, {"port": 0}, {"member": "a\nb"}, {"keys": {"rot": "file:a"}}])
def test_what_would_not_load_is_not_written(
    tmp_path: Path, values: dict[str, str | float | list[str] | Mapping[str, str]]
) -> None:
    with pytest.raises(ConfigurationError):
        write_node_toml(tmp_path, values)
    assert not list(tmp_path.iterdir())
