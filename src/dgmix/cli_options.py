"""Options that commands share, and how they print what they tell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

RECIPE_HELP = (
    "default, published, published-small, learned, whole-clips, attributes, autoencoder, mahala, "
    "first-shot, scac, demo, aisfx, beats, eat, or a file."
)  # config has the names, and takes too long to import for a help text
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def show(text: str, values: Mapping[str, Any], as_json: bool) -> None:
    """Print what a command tells: text for people, or plain values as JSON for programs."""
    print(json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) if as_json else text)


def show_written(path: Path, as_json: bool) -> None:
    """Print what a command has written."""
    show(str(path), {"written": str(path)}, as_json)
