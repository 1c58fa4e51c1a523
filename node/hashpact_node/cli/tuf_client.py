"""``hashpact tuf-client …``: the command line that the public suite *tuf-conformance* drives."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from hashpact_node.cli.common import ExitCode
from hashpact_node.cli.program import Commands, examples
from hashpact_protocol.errors import HashpactError, RequestError

if TYPE_CHECKING:
    from hashpact_node.net.fetcher import Fetcher

app = typer.Typer(
    cls=Commands,
    rich_markup_mode=None,
    help="A plain TUF client on our fetcher, for the suite tuf-conformance; no node is needed.",
    epilog=examples(
        "hashpact tuf-client --metadata-dir D init root.json",
        "hashpact tuf-client --metadata-dir D --metadata-url http://127.0.0.1:8001/metadata refresh",
    ),
)


@dataclass(frozen=True)
class _Told:
    """The options before the command."""

    metadata: Path | None
    url: str | None
    target: str | None
    base_url: str | None
    folder: Path | None


_Value = TypeVar("_Value")


def _needed(value: _Value | None, option: str) -> _Value:
    if value is None:
        raise RequestError(f"this command needs {option}", mend=f"give {option} before the command")
    return value


@app.callback()
def tuf_client(
    context: typer.Context,
    *,
    metadata_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where metadata is kept, under plain names; needed.")
    ] = None,
    metadata_url: Annotated[str | None, typer.Option(metavar="URL", help="Where the repository's metadata is.")] = None,
    target_name: Annotated[str | None, typer.Option(metavar="NAME", help="The target to download.")] = None,
    target_base_url: Annotated[str | None, typer.Option(metavar="URL", help="Where targets are.")] = None,
    target_dir: Annotated[Path | None, typer.Option(metavar="DIR", help="Where targets are put.")] = None,
) -> None:
    """Take what stands before the command."""
    context.obj = _Told(metadata_dir, metadata_url, target_name, target_base_url, target_dir)


@app.command(epilog=examples("hashpact tuf-client --metadata-dir D init root.json"))
def init(
    context: typer.Context,
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="The root to begin with, received by another channel.")],
) -> None:
    """Begin with a root."""
    from hashpact_node.net.tuf_client import init_client

    with _ending():
        init_client(_needed(_told(context).metadata, "--metadata-dir"), root)


@app.command(epilog=examples("hashpact tuf-client --metadata-dir D --metadata-url http://127.0.0.1:8001/ refresh"))
def refresh(context: typer.Context) -> None:
    """Bring the top-level metadata up to date."""
    from hashpact_node.net.tuf_client import refresh_client

    told = _told(context)
    with _ending(), _fetcher() as fetcher:
        refresh_client(fetcher, _needed(told.metadata, "--metadata-dir"), _needed(told.url, "--metadata-url"))


@app.command(
    epilog=examples(
        "hashpact tuf-client --metadata-dir D --metadata-url http://127.0.0.1:8001/metadata/ --target-name member.json "
        "--target-base-url http://127.0.0.1:8001/targets/ --target-dir T download"
    )
)
def download(context: typer.Context) -> None:
    """Download a target, once the metadata is up to date."""
    from hashpact_node.net.tuf_client import download_target

    told = _told(context)
    with _ending(), _fetcher() as fetcher:
        download_target(
            fetcher,
            _needed(told.metadata, "--metadata-dir"),
            _needed(told.url, "--metadata-url"),
            name=_needed(told.target, "--target-name"),
            base_url=_needed(told.base_url, "--target-base-url"),
            folder=_needed(told.folder, "--target-dir"),
        )


def _told(context: typer.Context) -> _Told:
    told: _Told = context.obj
    return told


@contextmanager
def _fetcher() -> Iterator[Fetcher]:
    from hashpact_node.net.fetcher import Fetcher

    fetcher = Fetcher(escapes=True)  # a repository of any kind may have such paths
    try:
        yield fetcher
    finally:
        fetcher.close()


@contextmanager
def _ending() -> Iterator[None]:
    """Tell an error, and end with 1 whatever it is, as that suite expects."""
    from hashpact_node.cli.output import show_error

    try:
        yield
    except HashpactError as error:
        show_error(error)
        raise typer.Exit(ExitCode.FAILED) from error
