"""The settings of a node: ``node.toml`` in its home, overridden by the environment.

:data:`SETTINGS` lists every one of them, with what it means and what holds without it; the file's loader, the
environment and the documents all go by that list. A word that is not on it is an error, not silence.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

from hashpact_node import setting_forms as forms
from hashpact_node.masking import without_passwords
from hashpact_node.setting_forms import DEFAULT_KEYS
from hashpact_protocol.errors import ConfigurationError, ConflictError, HashpactError

NODE_TOML = "node.toml"
DEFAULT_PORT = 8470
ENVIRONMENT_ONLY = {
    "HASHPACT_HOME": "the folder that holds a node's keys, node.toml and, by default, its database",
    "HASHPACT_PASSPHRASE": "the passphrase of the key files; rather give a file with HASHPACT_PASSPHRASE_FILE",
    "HASHPACT_PIN": "the PIN of tokens (pkcs11: keys); rather give a file, in the key's URI or with HASHPACT_PIN_FILE",
    "HASHPACT_PIN_FILE": "a file that holds the PIN of tokens, readable by the node's user alone",
}
"""What only the environment may say, and why it is said; all are read by the command line, not here."""

_PREFIX = "HASHPACT_"
_PORT_MAX = 65_535
_PULL_INTERVAL_SECONDS = 60.0
_PASSWORD = re.compile(r"(?<=://)(?P<user>[^:/?#@\s]*):[^/?#\s]*@")
_QUERY_PASSWORD = re.compile(r"(?<=[?&])(password|sslpassword)=[^&#\s]*", re.IGNORECASE)


def _cores() -> int:
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True, slots=True)
class Settings:
    """What a node goes by; see :data:`SETTINGS` for what each field means. Its repr shows no secret.

    ``keys_fixed``: the environment says where the keys are, so that no command can change it.
    """

    home: Path
    member: str | None = None
    url: str | None = None
    database_url: str = field(default="", repr=False)
    name: str | None = None
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: dict(DEFAULT_KEYS))
    keys_fixed: bool = field(default=False, compare=False)
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    passphrase_file: Path | None = None
    pull_interval_seconds: float = _PULL_INTERVAL_SECONDS
    pull_jitter_seconds: float = _PULL_INTERVAL_SECONDS / 10
    allow_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    require_witnesses: int | Path = 0
    publish_witnesses: int = 2
    worker_processes: int = 1
    fetch_threads: int = 8
    blob_quota_mib: int = 1_024
    directory_url: str | None = None
    directory_fingerprint: str | None = None
    directory_policy: str = "off"
    four_eyes: bool = False
    release_max_listings: int = 0
    release_max_withdrawals: int = 0
    undo_delay_seconds: int = 0
    report_threshold: int = 5
    log_format: str = "auto"

    def __post_init__(self) -> None:
        if not self.database_url:
            object.__setattr__(self, "database_url", f"sqlite:///{self.home.absolute() / 'node.sqlite3'}")

    @property
    def shown_database_url(self) -> str:
        """The database's URL without its password, for people and logs."""
        shown = _PASSWORD.sub(r"\g<user>:***@", self.database_url)
        return _QUERY_PASSWORD.sub(r"\1=***", shown)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its key in ``node.toml``, what it means, what holds without it, and how its value is read."""

    name: str
    description: str
    default: str
    parse: Callable[[Any], object] = field(repr=False)
    secret: bool = False

    @property
    def variable(self) -> str:
        """The environment variable that overrides it."""
        return _PREFIX + self.name.upper()


SETTINGS = (
    Setting("member", "this member's id in the consortium", "none; init writes it", forms.member_id),
    Setting(
        "url",
        "the public URL below which this member's trust repository and logs are found",
        "none; init writes it",
        forms.member_url,
    ),
    Setting("name", "this member's name for people, as its card says it", "none; init writes it", forms.text),
    Setting(
        "keys",
        'the URI of the key of each row, as release = "file:keys/release.key", or a list of several',
        "file:keys/ROW.key",
        forms.keys,
    ),
    Setting(
        "database_url",
        "the database: sqlite:///path or postgresql://…",
        "node.sqlite3 in the home",
        forms.database_url,
        secret=True,
    ),
    Setting("host", "the address to listen on", "127.0.0.1", forms.host),
    Setting("port", "the TCP port to listen on", str(DEFAULT_PORT), forms.integer(1, _PORT_MAX)),
    Setting(
        "tls_certificate",
        "the file of the certificate, with those between it and its authority, where the node ends TLS itself",
        "none",
        forms.path,
    ),
    Setting("tls_key", "the file of the certificate's private key, without a passphrase", "none", forms.path),
    Setting(
        "passphrase_file",
        "a file that holds the key files' passphrase, readable by the node's user alone",
        "none",
        forms.path,
    ),
    Setting(
        "pull_interval_seconds", "how long after one pull of a peer the next begins", "60", forms.seconds(0.1, 86_400)
    ),
    Setting(
        "pull_jitter_seconds",
        "how much a pull may be early or late, so that members do not pull in step",
        "a tenth of pull_interval_seconds",
        forms.seconds(0, 3_600),
    ),
    Setting(
        "allow_networks",
        "networks beyond the public internet in which peers may be; separated by commas in the environment",
        "none",
        forms.networks,
    ),
    Setting(
        "trusted_proxies",
        "networks of the proxies before this node that say in X-Forwarded-For who asked them; separated by commas in "
        "the environment",
        "none",
        forms.networks,
    ),
    Setting(
        "require_witnesses",
        "how many other members must have cosigned a checkpoint before its entries count, or the path of a policy file",
        "0",
        forms.required_witnesses,
    ),
    Setting(
        "publish_witnesses",
        "how many peers' cosignatures a release waits for, a second at most; all peers' if there are fewer. "
        "Those that come later are shown, too; with 0, none is",
        "2",
        forms.integer(0, 14),
    ),
    Setting(
        "worker_processes",
        "processes that verify and decode what is pulled",
        "cores less one, at least 1",
        forms.integer(1, 256),
    ),
    Setting("fetch_threads", "bundles that are fetched from one peer at the same time", "8", forms.integer(1, 64)),
    Setting("blob_quota_mib", "how many MiB of blobs are kept for one peer", "1024", forms.integer(0, 1_048_576)),
    Setting("directory_url", "the URL of the consortium's directory that this node follows", "none", forms.member_url),
    Setting(
        "directory_fingerprint",
        "the fingerprint of the directory's root, N:sha256:HEX, by another channel than its URL",
        "none",
        forms.fingerprint,
    ),
    Setting(
        "directory_policy",
        "what the directory may do here: off (nothing), ask (propose) or auto (add, suspend and readmit peers)",
        "off",
        forms.directory_policy,
    ),
    Setting(
        "four_eyes",
        "whether listings and withdrawals are drafts until somebody else than who made them has approved them",
        "false",
        forms.yes_or_no,
    ),
    Setting(
        "release_max_listings",
        "how many listings are released into a log within an hour before a person must say yes; 0: any number",
        "0",
        forms.integer(0, 10_000_000),
    ),
    Setting("release_max_withdrawals", "the same for withdrawals", "0", forms.integer(0, 10_000_000)),
    Setting(
        "undo_delay_seconds",
        "how long what is published rests before it is released, and can be taken back as if it never was",
        "0",
        forms.integer(0, 86_400),
    ),
    Setting(
        "report_threshold",
        "which counts an openness report withholds: those from 1 up to but without it; 0: none",
        "5",
        forms.integer(0, 1_000),
    ),
    Setting("log_format", "auto (console on a terminal, else json), console or json", "auto", forms.log_format),
)
_BY_NAME = {setting.name: setting for setting in SETTINGS}


def load_settings(environment: Mapping[str, str], home: Path) -> Settings:
    """Return the settings for ``home``: the environment's where it says something, else ``node.toml``'s.

    A home without ``node.toml`` has the defaults. Raises ConfigurationError that names the file and line, or the
    variable, and how to mend it.
    """
    values = _read_file(home / NODE_TOML)
    overrides = _read_environment(environment)
    values.update(overrides)
    interval = values.setdefault("pull_interval_seconds", _PULL_INTERVAL_SECONDS)
    values.setdefault("pull_jitter_seconds", interval / 10)
    values.setdefault("worker_processes", max(1, _cores() - 1))
    if values["pull_jitter_seconds"] > interval:
        raise ConfigurationError(
            "pull_jitter_seconds is longer than pull_interval_seconds", where=str(home), mend="make it shorter"
        )
    _check_tls(values)
    _check_directory(values, home)
    if isinstance(values.get("require_witnesses"), Path):
        values["require_witnesses"] = home / values["require_witnesses"]
    return Settings(home=home, keys_fixed="keys" in overrides, **values)


def _check_tls(values: Mapping[str, Any]) -> None:
    if ("tls_certificate" in values) != ("tls_key" in values):
        missing = "tls_key" if "tls_certificate" in values else "tls_certificate"
        raise ConfigurationError(
            f"to end TLS, {missing} is missing", mend="give both, or neither where a proxy ends TLS"
        )


def _check_directory(values: Mapping[str, Any], home: Path) -> None:
    pinned = values.get("directory_url") and values.get("directory_fingerprint")
    if values.get("directory_policy", "off") != "off" and not pinned:
        raise ConfigurationError(
            "directory_policy says that a directory is followed, and not which",
            where=str(home),
            mend="set directory_url and directory_fingerprint, which the secretariat gives you",
        )


def _read_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    known = {setting.variable: setting for setting in SETTINGS}
    for variable, text in sorted(environment.items()):
        if variable in known:
            values[known[variable].name] = _parse(known[variable], text, variable)
        elif variable.startswith(_PREFIX) and variable not in ENVIRONMENT_ONLY:
            # Container platforms add variables of their own under a service's name, so only near misses are refused.
            _refuse_near_miss(variable, [*known, *ENVIRONMENT_ONLY], where="environment", cutoff=0.85)
    return values


def _read_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(
            f"the file cannot be read: {error}", where=str(path), mend="see docs/operations.md for its form"
        ) from None
    values: dict[str, Any] = {}
    for name, value in table.items():
        where = f"{path}, line {_line_of(text, name)}"
        if name not in _BY_NAME:
            _refuse_near_miss(name, list(_BY_NAME), where=where, cutoff=0.6)
            raise ConfigurationError(
                f"there is no setting {name!r}", where=where, mend=f"the settings are: {', '.join(_BY_NAME)}"
            )
        values[name] = _parse(_BY_NAME[name], value, where)
    return values


def _refuse_near_miss(name: str, known: list[str], *, where: str, cutoff: float) -> None:
    near = difflib.get_close_matches(name, known, n=1, cutoff=cutoff)
    if near:
        raise ConfigurationError(f"there is no setting {name!r}", where=where, mend=f"did you mean {near[0]}?")


def _parse(setting: Setting, value: object, where: str) -> object:
    """Read one value; the error says where it stood and, unless it may hold a secret, what it was."""
    try:
        return setting.parse(value)
    except HashpactError as error:
        shown = "" if setting.secret else f" ({_shown(value)})"
        raise ConfigurationError(
            without_passwords(f"{setting.name}{shown}: {error.what}"),
            where=where,
            mend=error.mend or f"it says {setting.description}",
        ) from None


def _shown(value: object) -> str:
    text = without_passwords(repr(value))
    return text if len(text) <= 100 else text[:100] + "…"  # noqa: PLR2004  about as much as a line shows


def _line_of(text: str, name: str) -> int:
    """Return the number of the line on which a top-level key or table stands (tomllib does not tell)."""
    pattern = re.compile(rf"""\s*\[*\s*["']?{re.escape(name)}["']?\s*[\]=.]""")
    return next((number for number, line in enumerate(text.splitlines(), 1) if pattern.match(line)), 1)


def write_node_toml(home: Path, values: Mapping[str, str | float | list[str] | Mapping[str, str]]) -> Path:
    """Write ``node.toml`` into ``home``, all of it or nothing, and return its path; a table comes last.

    Raises ConfigurationError for a value that would not load again, and ConflictError when the file exists: what an
    operator wrote is never overwritten.
    """
    path = home / NODE_TOML
    lines = ["# The settings of this node; docs/operations.md lists them all. The environment overrides them.", ""]
    for name, value in values.items():
        if name not in _BY_NAME:
            raise ConfigurationError(f"there is no setting {name!r}", where=str(path))
        _parse(_BY_NAME[name], value, str(path))
        # JSON's strings, numbers and arrays are TOML's as long as no character is escaped beyond its plane.
        lines += ["", f"[{name}]"] if isinstance(value, Mapping) else []
        pairs = value if isinstance(value, Mapping) else {name: value}
        lines += [f"{key} = {json.dumps(one, ensure_ascii=False)}" for key, one in pairs.items()]
    descriptor, draft = tempfile.mkstemp(dir=home, prefix=".node-", suffix=".toml")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write("\n".join([*lines, ""]))
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # unlike a rename, this fails if the file exists
    except FileExistsError:
        raise ConflictError("the file exists already", where=str(path), mend="edit it, or move it away") from None
    finally:
        os.unlink(draft)  # noqa: PTH108  beside os.link, which pathlib spells the other way round
    return path
