"""Puts texts into the places of a page in docs/: each reaches from <!-- NAME --> to <!-- end of NAME -->."""

import re
from collections.abc import Mapping


def fill(page: str, texts: Mapping[str, str]) -> str:
    """Return a page with each text in the place of its name, and nothing else there."""
    for name, text in texts.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        around = re.split(f"{re.escape(begin)}.*?{re.escape(end)}", page, flags=re.DOTALL)
        page = f"{begin}\n{text}\n{end}".join(around)
    return page
