"""The words for how far to trust a heatmap."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

__all__ = ["Finding", "Trust", "Verdict"]


class Trust(StrEnum):
    """How far to trust a heatmap, or one of the answers that this follows from."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    NONE = "none"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """The words of earlier versions, which scripts may compare with; see `Trust`."""

    CLEAR = "clear"
    WEAK = "weak"
    HARDLY = "hardly depends on the text"
    NOTHING = "nothing to see"


class Finding(NamedTuple):
    """One answer, with a sentence that says why; empty if there is nothing to say."""

    trust: Trust
    reason: str
