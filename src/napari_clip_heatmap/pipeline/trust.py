"""How far to trust a heatmap: one word, and the answers that it follows from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, NamedTuple

__all__ = ["Finding", "PromptVerdict", "Trust", "Verdict", "earlier_word", "least_trust"]


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


@dataclass(frozen=True)
class PromptVerdict:
    """How far to trust the heatmap of one prompt, why, and the figures behind it.

    Parameters
    ----------
    prompt : str
        As the user wrote it.
    trust : Trust
        The lowest of three answers: of `text`, of `presence`, and whether the map that is shown
        is still the prompt's own (`agreement`).
    text : Trust
        Whether the map depends on the words.
    presence : Trust
        Whether the thing is in this image, or at the place that was asked about: "unknown" where
        the model is not calibrated.
    reasons : tuple of str
        One sentence on the text, one on presence, and one on the list of prompts where that
        changes the map.
    agreement : float or None
        Correlation on this image of the map that is shown with the prompt's own map, without
        what is subtracted; None where a map is flat.
    strength : float or None
        How strongly the image answers, on the scale of the model's calibration; None without one.
    dependence : float
        Distance of the prompt from the nearest nonsense prompt, in units of the distance of
        nonsense prompts from one another: about 1 or less for nonsense.
    similarity : float
        Mean over tiles of the cosine similarity with the prompt.
    rank : float
        Fraction of neutral and nonsense prompts that are less similar to the image, 0 to 1.
    residual_variance : float
        Fraction of the map's variance that no nonsense map explains, 0 to 1.
    nearest : str
        The nonsense prompt with the nearest direction.
    nothing_to_see : bool
        Whether the image is nearly constant as the model sees it.

    Examples
    --------
    >>> for verdict in nch.assess(encoding, ["nuclei", "wug"]).checks:
    ...     print(verdict.prompt, verdict.trust, verdict.text, verdict.presence)
    nuclei good good good
    wug none none none
    """

    prompt: str
    trust: Trust
    text: Trust
    presence: Trust
    reasons: tuple[str, ...]
    agreement: float | None
    strength: float | None
    dependence: float
    similarity: float
    rank: float
    residual_variance: float
    nearest: str
    nothing_to_see: bool = False

    @property
    def verdict(self) -> Verdict:
        """The word of earlier versions that is nearest to `trust`."""
        return Verdict.NOTHING if self.nothing_to_see else earlier_word(self.trust, self.text)

    @property
    def advice(self) -> str:
        """All reasons, as one text."""
        return " ".join(self.reasons)

    @property
    def figures(self) -> str:
        """The figures in one line."""
        parts = [f"similarity {self.similarity:.3f}, above {self.rank:.0%} of nonsense"]
        if not self.nothing_to_see:
            parts.append(
                f"{self.dependence:.2f} times as far from nonsense as nonsense from itself"
            )
            if self.strength is not None:
                parts.append(f"strength {self.strength:.1f}")
            if self.agreement is not None:
                parts.append(f"agreement with its own map {self.agreement:.2f}")
        return "; ".join(parts)

    def describe(self) -> dict[str, Any]:
        """Return everything as JSON-able values, the words of earlier versions included."""
        values = asdict(self)
        del values["nothing_to_see"]
        return {
            **values,
            "reasons": list(self.reasons),
            "verdict": str(self.verdict),
            "advice": self.advice,
        }
