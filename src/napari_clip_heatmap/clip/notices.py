"""What could not be done as asked and was done otherwise: told once, and kept for the record."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache

__all__ = ["Notices"]

logger = logging.getLogger("napari_clip_heatmap")


class Notices:
    """Sentences for the user: of each subject the newest. Each is logged once a process."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._told.values()))

    def tell(self, subject: str, sentence: str) -> None:
        """Add what is to be known of a subject, in the place of what was."""
        self._told[subject] = sentence
        _log(sentence)


@cache
def _log(sentence: str) -> None:
    logger.warning(sentence)
