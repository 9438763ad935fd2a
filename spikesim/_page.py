"""The look that all pages share: one HTML file that needs nothing else."""

from __future__ import annotations

import html
from importlib import resources
from string import Template

__all__ = ["html_page"]


def html_page(title: str, body: str, style: str = "") -> str:
    """Return a whole HTML document.

    Parameters
    ----------
    title : str
        Plain text.
    body : str
        HTML.
    style : str, default ""
        CSS besides that of the template.
    """
    template = resources.files("spikesim") / "page_template.html"
    return Template(template.read_text(encoding="utf-8")).substitute(
        title=html.escape(title), body=body, style=style
    )
