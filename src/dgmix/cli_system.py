"""The commands about this installation: what it is, and what its cache holds."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from dgmix.cli_options import AsJson, show
from dgmix.files import shown_size

commands = typer.Typer()
cache = typer.Typer(
    no_args_is_help=True, help="Look at the folder of decoded features, or clear it."
)
commands.add_typer(cache, name="cache")

Folder = Annotated[
    Path | None,
    typer.Option("--cache", envvar="DGMIX_CACHE", help="The folder; the user's cache by default."),
]


@commands.command()
def doctor(
    ask_torch: Annotated[
        bool, typer.Option("--torch", help="Load torch, and see which GPU it can use: seconds.")
    ] = False,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Tell what a bug report needs of this installation, and what is wrong with it."""
    from dgmix.doctor import examine, page

    facts = examine(_cache_folder(folder), ask_torch)
    show(page(facts), facts, as_json)
    if facts["problems"]:
        raise typer.Exit(1)


@cache.command("ls")
def ls(folder: Folder = None, as_json: AsJson = False) -> None:
    """List the stores of features, one for each pair of audio and feature settings."""
    from dgmix.audio.stores import stores

    place = _cache_folder(folder)
    contents = stores(place)
    values = {"folder": str(place), "stores": [_plain(store) for store in contents]}
    show("\n".join([_sum(contents, f"in {place}"), *map(_line, contents)]), values, as_json)


@cache.command()
def clear(
    older_than: Annotated[
        float,
        typer.Option(
            metavar="DAYS", min=0.0, help="Only stores that nothing was added to for so long."
        ),
    ] = 0.0,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Remove stores of features; what is needed again is decoded again."""
    from dgmix.audio.stores import clear as remove

    place = _cache_folder(folder)
    removed = remove(place, older_than)
    values = {"folder": str(place), "removed": [_plain(store) for store in removed]}
    show("\n".join([_sum(removed, f"removed from {place}"), *map(_line, removed)]), values, as_json)


def _cache_folder(given: Path | None) -> Path:
    from dgmix.audio.cache import default_folder

    return given or default_folder()


def _sum(stores: Any, where: str) -> str:
    size = shown_size(sum(store.size for store in stores))
    return f"{len(stores)} {'store' if len(stores) == 1 else 'stores'}, {size}, {where}"


def _line(store: Any) -> str:
    day = time.strftime("%Y-%m-%d", time.localtime(store.written))
    return (
        f"{store.name}  {shown_size(store.size):>8}  {store.recordings:>6} recordings  "
        f"{store.sample_rate} Hz, {store.n_mels} bands  added to on {day}"
    )


def _plain(store: Any) -> dict[str, Any]:
    return {**asdict(store), "folder": str(store.folder)}
