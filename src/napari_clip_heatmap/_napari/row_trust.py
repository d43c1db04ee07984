"""How far a prompt's map can be trusted, in the words of the dock."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from napari_clip_heatmap.pipeline.verdicts import Verdict

if TYPE_CHECKING:
    from napari_clip_heatmap.pipeline.verdicts import PromptCheck

__all__ = ["FAINTNESS", "RowTrust", "facts_of", "trust_of"]


class RowTrust(StrEnum):
    """What stands in the column Trust."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    NONE = "none"
    UNKNOWN = "unknown"


FAINTNESS = {RowTrust.DOUBTFUL: 0.6, RowTrust.NONE: 0.3}
"""Factor on the opacity of a map that is not to be trusted."""

_OF_VERDICT = {
    Verdict.CLEAR: RowTrust.GOOD,
    Verdict.WEAK: RowTrust.DOUBTFUL,
    Verdict.HARDLY: RowTrust.NONE,
    Verdict.NOTHING: RowTrust.NONE,
}


def trust_of(check: PromptCheck) -> RowTrust:
    """Return the trust that a verdict stands for."""
    return _OF_VERDICT[check.verdict]


def facts_of(check: PromptCheck) -> tuple[str, ...]:
    """Return why a map can be trusted or not, in three short facts."""
    match = f"Match with the image: {check.similarity:.3f}"
    if check.verdict is Verdict.NOTHING:
        return check.advice, match
    return (
        check.advice,
        f"{match}, above {check.rank:.0%} of nonsense words.",
        f"Its map is {check.dependence:.1f} times as far from nonsense as nonsense from itself.",
    )
