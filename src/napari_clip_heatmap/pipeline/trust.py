"""The words for how far to trust a heatmap."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

__all__ = ["Finding", "Trust", "Verdict", "earlier_word", "least_trust", "of_no_patch"]


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


def least_trust(answers: Iterable[Trust]) -> Trust:
    """Return the lowest of several answers; where one is unknown, the result is doubtful at most.

    Examples
    --------
    >>> least_trust([Trust.GOOD, Trust.UNKNOWN])
    <Trust.DOUBTFUL: 'doubtful'>
    """
    found = set(answers)
    if Trust.NONE in found:
        return Trust.NONE
    return Trust.DOUBTFUL if found & {Trust.DOUBTFUL, Trust.UNKNOWN} else Trust.GOOD


def earlier_word(trust: Trust, text: Trust) -> Verdict:
    """Return the word of earlier versions that is nearest to a trust and what the text gives."""
    if text is Trust.NONE:
        return Verdict.HARDLY
    return Verdict.CLEAR if trust is Trust.GOOD else Verdict.WEAK


def of_no_patch(part: float | None) -> str:
    """Return how much of a figure belongs to no patch, to follow that figure; empty if unknown.

    Examples
    --------
    >>> of_no_patch(0.125)
    ' (of it 0.125 belongs to no patch)'
    """
    return "" if part is None else f" (of it {part:.3f} belongs to no patch)"
