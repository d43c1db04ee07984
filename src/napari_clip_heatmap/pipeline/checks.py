"""What is found of one prompt, and what to think of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["CLEAR_FROM", "LIKE_NONSENSE", "PromptCheck", "Verdict", "advise", "conclude"]

# Calibrated with the bundled model on drawn scenes and real images; docs/honesty.md has the
# distributions, `clip-heatmap honesty` measures them anew.
LIKE_NONSENSE = 1.2
"""Dependence below which a prompt hardly differs from nonsense."""
CLEAR_FROM = 1.45
"""Dependence from which the text clearly shapes the map."""
_TYPICAL_RANK = 0.5
"""Rank of similarity below which most nonsense is nearer to the image than the prompt is."""


class Verdict(StrEnum):
    """What a map is worth, as far as its text goes."""

    CLEAR = "clear"
    WEAK = "weak"
    HARDLY = "hardly depends on the text"


@dataclass(frozen=True)
class PromptCheck:
    """What was found of one prompt.

    Parameters
    ----------
    prompt : str
        As the user wrote it.
    similarity : float
        Cosine of the whole image with the prompt.
    rank : float
        Share of neutral and nonsense prompts that are less similar to the image, 0 to 1.
    dependence : float
        How far the map is from that of any nonsense, in units of what nonsense maps are from one
        another: about 1 or less for nonsense.
    own_variance : float
        Share of the map's variance that no nonsense map explains, 0 to 1.
    nearest : str
        The nonsense prompt whose map is nearest.
    verdict : Verdict
    advice : str
        One sentence.
    """

    prompt: str
    similarity: float
    rank: float
    dependence: float
    own_variance: float
    nearest: str
    verdict: Verdict
    advice: str

    @property
    def figures(self) -> str:
        """The figures in one line."""
        return (
            f"similarity {self.similarity:.3f}, above {self.rank:.0%} of neutral and nonsense "
            f"prompts; {self.dependence:.1f} times as far from nonsense as nonsense from itself; "
            f"{self.own_variance:.0%} of the map's variance is not that of '{self.nearest}' or "
            "any other nonsense"
        )


def conclude(dependence: float, rank: float) -> Verdict:
    """Return the verdict on figures of a `PromptCheck`."""
    if dependence < LIKE_NONSENSE:
        return Verdict.HARDLY
    if dependence < CLEAR_FROM or rank < _TYPICAL_RANK:
        return Verdict.WEAK
    return Verdict.CLEAR


def advise(verdict: Verdict, dependence: float, nearest: str, *, unmet: bool) -> str:
    """Say in one sentence what to do; `unmet`: it has words that the model never met."""
    if verdict is Verdict.HARDLY and unmet:
        return (
            "The model was never trained on words in it, so its map can only come from pieces of "
            "them: use words that it knows."
        )
    if verdict is Verdict.HARDLY:
        return (
            f"Its map is much like that of '{nearest}', which means nothing: name one thing in "
            "plain words, or use a model that knows the subject."
        )
    if verdict is Verdict.WEAK and dependence < CLEAR_FROM:
        return f"Its map differs from that of '{nearest}' but little: compare the two first."
    if verdict is Verdict.WEAK:
        return (
            "The image as a whole is no more like this than like nonsense: what the map shows may "
            "be the nearest thing to it, and not it."
        )
    return "The text shapes this map: check where it is red, then use it."
