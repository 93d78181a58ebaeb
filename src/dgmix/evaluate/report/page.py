"""The page around a report's parts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dgmix.version import __version__


def render(contents: Mapping[str, Any], template: str = "page.html.j2") -> str:
    """Return a page as HTML; every text in `contents` that is not markup is escaped.

    The page may run its own script only: the browser checks it against the hash in the page's
    content security policy, which also forbids it to load anything.
    """
    environment = Environment(
        loader=PackageLoader("dgmix.evaluate.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = _asset("script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template(template).render(
        contents,
        style=Markup(_asset("style.css")),
        script=Markup(script),
        script_hash=digest,
        version=__version__,
    )


def _asset(name: str) -> str:
    return (resources.files(__package__) / "templates" / name).read_text("utf-8")
