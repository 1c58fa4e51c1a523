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
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any

from hashpact_node.masking import without_passwords
from hashpact_protocol.errors import ConfigurationError, ConflictError, HashpactError
from hashpact_protocol.names import MemberUrl, parse_member_id

NODE_TOML = "node.toml"
DEFAULT_PORT = 8470
LOG_FORMATS = ("auto", "console", "json")
ENVIRONMENT_ONLY = {
    "HASHPACT_HOME": "the folder that holds a node's keys, node.toml and, by default, its database",
    "HASHPACT_PASSPHRASE": "the passphrase of the key files; rather give a file with HASHPACT_PASSPHRASE_FILE",
    "HASHPACT_PIN": "the PIN of tokens (pkcs11: keys); rather give a file, in the key's URI or with HASHPACT_PIN_FILE",
    "HASHPACT_PIN_FILE": "a file that holds the PIN of tokens, readable by the node's user alone",
}
"""What only the environment may say, and why it is said; all are read by the command line, not here."""

DEFAULT_KEYS: Mapping[str, tuple[str, ...]] = {
    row: (f"file:keys/{row}.key",) for row in ("root", "targets", "online", "release", "crisis", "witness", "request")
}
"""Where the keys of each row live when nothing else is said, relative to the home."""

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
    passphrase_file: Path | None = None
    pull_interval_seconds: float = _PULL_INTERVAL_SECONDS
    pull_jitter_seconds: float = _PULL_INTERVAL_SECONDS / 10
    allow_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    require_witnesses: int | Path = 0
    publish_witnesses: int = 2
    worker_processes: int = 1
    fetch_threads: int = 8
    blob_quota_mib: int = 1_024
    log_format: str = "auto"

    def __post_init__(self) -> None:
        if not self.database_url:
            object.__setattr__(self, "database_url", f"sqlite:///{self.home.absolute() / 'node.sqlite3'}")

    @property
    def shown_database_url(self) -> str:
        """The database's URL without its password, for people and logs."""
        shown = _PASSWORD.sub(r"\g<user>:***@", self.database_url)
        return _QUERY_PASSWORD.sub(r"\1=***", shown)


def _keys(value: object) -> Mapping[str, tuple[str, ...]]:
    """Read the table of key URIs, by row: one, or a list, which may be empty; rows that it leaves out keep theirs."""
    if isinstance(value, str):
        pairs = [part.partition("=") for part in value.split(",") if part]
        value = {row: [uri for name, _, uri in pairs if name == row and uri] for row, _, _ in pairs}
    if not isinstance(value, Mapping):
        raise ConfigurationError("this is no table of key URIs by row")
    unknown = sorted(set(value) - set(DEFAULT_KEYS))
    if unknown:
        raise ConfigurationError(f"there is no row {unknown[0]!r}", mend=f"the rows are: {', '.join(DEFAULT_KEYS)}")
    return {**DEFAULT_KEYS, **{row: _uris(uris) for row, uris in value.items()}}


def _uris(value: object) -> tuple[str, ...]:
    return tuple(_text(uri) for uri in (value if isinstance(value, list) else [value]))


def _text(value: object) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ConfigurationError("this is no text on one line")
    return value


def _integer(low: int, high: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"0|[1-9][0-9]{0,15}", value):
            value = int(value)
        if type(value) is not int or not low <= value <= high:
            raise ConfigurationError(f"this is no whole number from {low} to {high}")
        return value

    return parse


def _seconds(low: float, high: float) -> Callable[[object], float]:
    def parse(value: object) -> float:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", value):
            value = float(value)
        if type(value) not in {int, float} or not low <= value <= high:  # type: ignore[operator]  # a number by now
            raise ConfigurationError(f"this is no number of seconds from {low:g} to {high:g}")
        return float(value)  # type: ignore[arg-type]  # a number by now

    return parse


def _host(value: object) -> str:
    host = _text(value)
    try:
        loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigurationError(
            "a node listens on loopback only, since requests between nodes are not signed yet",
            mend="write 127.0.0.1, ::1 or localhost, and let nobody else through to it",
        )
    return host


def _networks(value: object) -> tuple[IPv4Network | IPv6Network, ...]:
    texts = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    if not isinstance(texts, list):
        raise ConfigurationError("this is no list of networks")
    try:
        return tuple(ip_network(_text(text)) for text in texts)
    except ValueError as error:
        raise ConfigurationError(f"this is no network: {error}", mend="write it as 10.1.0.0/16") from None


def _database_url(value: object) -> str:
    url = _text(value)
    if not re.match(r"(sqlite(\+pysqlite)?:///|postgresql(\+psycopg)?://)", url):
        raise ConfigurationError(
            "this is no database that a node can use",
            mend="write sqlite:///path, or postgresql://user:password@host/name",
        )
    return url


def _url(value: object) -> str:
    return str(MemberUrl.parse(_text(value)))


def _member(value: object) -> str:
    return parse_member_id(_text(value))


def _log_format(value: object) -> str:
    if value not in LOG_FORMATS:
        raise ConfigurationError(f"this is none of {', '.join(LOG_FORMATS)}")
    return str(value)


def _path(value: object) -> Path:
    return Path(_text(value)).expanduser()


_required_number = _integer(0, 64)


def _required(value: object) -> int | Path:
    """Read a number of witnesses, or the path of a policy file; what has no letter is meant as a number."""
    if isinstance(value, str) and re.search(r"[^\W\d_]", value):
        return _path(value)
    return _required_number(value)


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
    Setting("member", "this member's id in the consortium", "none; init writes it", _member),
    Setting(
        "url",
        "the public URL below which this member's trust repository and logs are found",
        "none; init writes it",
        _url,
    ),
    Setting("name", "this member's name for people, as its card says it", "none; init writes it", _text),
    Setting(
        "keys",
        'the URI of the key of each row, as release = "file:keys/release.key", or a list of several',
        "file:keys/ROW.key",
        _keys,
    ),
    Setting(
        "database_url",
        "the database: sqlite:///path or postgresql://…",
        "node.sqlite3 in the home",
        _database_url,
        secret=True,
    ),
    Setting("host", "the loopback address to listen on", "127.0.0.1", _host),
    Setting("port", "the TCP port to listen on", str(DEFAULT_PORT), _integer(1, _PORT_MAX)),
    Setting(
        "passphrase_file",
        "a file that holds the key files' passphrase, readable by the node's user alone",
        "none",
        _path,
    ),
    Setting("pull_interval_seconds", "how long after one pull of a peer the next begins", "60", _seconds(0.1, 86_400)),
    Setting(
        "pull_jitter_seconds",
        "how much a pull may be early or late, so that members do not pull in step",
        "a tenth of pull_interval_seconds",
        _seconds(0, 3_600),
    ),
    Setting(
        "allow_networks",
        "networks beyond the public internet in which peers may be; separated by commas in the environment",
        "none",
        _networks,
    ),
    Setting(
        "require_witnesses",
        "how many other members must have cosigned a checkpoint before its entries count, or the path of a policy file",
        "0",
        _required,
    ),
    Setting(
        "publish_witnesses",
        "how many peers' cosignatures a release waits for, a second at most; all peers' if there are fewer. "
        "Those that come later are shown, too; with 0, none is",
        "2",
        _integer(0, 14),
    ),
    Setting(
        "worker_processes",
        "processes that verify and decode what is pulled",
        "cores less one, at least 1",
        _integer(1, 256),
    ),
    Setting("fetch_threads", "bundles that are fetched from one peer at the same time", "8", _integer(1, 64)),
    Setting("blob_quota_mib", "how many MiB of blobs are kept for one peer", "1024", _integer(0, 1_048_576)),
    Setting("log_format", "auto (console on a terminal, else json), console or json", "auto", _log_format),
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
    if isinstance(values.get("require_witnesses"), Path):
        values["require_witnesses"] = home / values["require_witnesses"]
    return Settings(home=home, keys_fixed="keys" in overrides, **values)


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
