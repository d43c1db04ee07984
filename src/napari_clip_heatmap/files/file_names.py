"""File names made of prompts and image names: portable, readable, each used once."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["slug", "unique_slugs"]

MAX_BYTES = 60
"""Room for a name's two slugs, its number and its ending within the 255 bytes of most disks."""


def slug(text: str, *, fallback: str) -> str:
    """Turn any text into a name that every file system accepts.

    Letters and digits of any script are kept, everything else (spaces, slashes, emoji, control
    characters) becomes one hyphen. No underscore is left: it separates the parts of a file name.

    Parameters
    ----------
    text : str
        Anything, such as a prompt.
    fallback : str
        The name when nothing of `text` can be kept (it is only emoji, for instance).

    Returns
    -------
    str
        At most `MAX_BYTES` bytes in UTF-8, never empty.

    Examples
    --------
    >>> slug("red blood cells / smear", fallback="prompt")
    'red-blood-cells-smear'
    """
    words = re.sub(r"[\W_]+", "-", unicodedata.normalize("NFKC", text)).strip("-")
    short = words.encode()[:MAX_BYTES].decode(errors="ignore").rstrip("-")
    return short or fallback


def unique_slugs(texts: list[str], *, fallback: str) -> list[str]:
    """Return one `slug` per text, numbered where two would be equal.

    Names that differ only in case count as the same: on Windows and macOS they are one file.

    Parameters
    ----------
    texts : list of str
        What the names are made of, in order.
    fallback : str
        See `slug`.

    Returns
    -------
    list of str
        As many names, all different.

    Examples
    --------
    >>> unique_slugs(["a/b", "a b", "c"], fallback="image")
    ['a-b', 'a-b-2', 'c']
    """
    taken: set[str] = set()
    names = []
    for text in texts:
        base = name = slug(text, fallback=fallback)
        number = 1
        while name.casefold() in taken:
            number += 1
            name = f"{base}-{number}"
        taken.add(name.casefold())
        names.append(name)
    return names
