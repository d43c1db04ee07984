"""The scores: what each one computes, and the words that describe it everywhere.

To add a score, write its class here and list it in `Score` and `SCORES`. The viewer's choices and
tooltips, the command line's help and the methods paragraph all read from this table.

Nothing heavy is imported here, because the command line reads the table before it starts any work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from napari_clip_heatmap.errors import PromptError, shown_value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["SCORES", "Comparison", "Note", "NoteKind", "Score", "ScoreMethod", "score_method"]

Score = Literal["relative", "absolute", "contrast", "softmax"]
"""Names of the scores; see `SCORES` for what each one computes."""


class NoteKind(StrEnum):
    """What a note is about, for whoever shows notes of several sources together."""

    MIRRORED_MAPS = "mirrored maps"


class Note(str):
    """A sentence on how heatmaps are to be read, with what it is about.

    Parameters
    ----------
    text : str
    kind : NoteKind
    """

    kind: NoteKind

    def __new__(cls, text: str, kind: NoteKind) -> Note:
        """Make the sentence."""
        note = super().__new__(cls, text)
        note.kind = kind
        return note


@dataclass(frozen=True, eq=False)
class Comparison:
    """The directions that a score combines.

    Parameters
    ----------
    text : float64 (prompt, d_embed)
        Unit text directions.
    own : float64 (prompt, d_embed)
        The same, minus the contrast that a prompt has of its own ("nuclei - background").
    compared : bool (prompt,)
        Which prompts have no contrast of their own, and so are compared with the others.
    baseline : float64 (baseline prompt, d_embed)
        Unit directions of the baseline or of the neutral prompts; empty where there are none.
    """

    text: NDArray[np.float64]
    own: NDArray[np.float64]
    compared: list[bool]
    baseline: NDArray[np.float64]

    def minus(self, direction: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the directions of all prompts, minus one direction where they are compared."""
        directions = self.own.copy()
        directions[self.compared] -= direction
        return directions


class ScoreMethod:
    """One score. The defaults describe a score that leaves every prompt as it is.

    Attributes
    ----------
    name : str
        As users choose it.
    help : str
        What the score shows, for tooltips and ``--help``.
    methods_sentence : str
        What was done, for a methods section; ``{against}`` stands for the prompts compared with.
    takes_baseline, requires_baseline : bool
        Whether the user may, or must, give baseline prompts.
    unit : str
        Of the maps: "cosine" or "probability".
    neutral_note : str
        Why neutral prompts take part where there is one prompt only; empty where they do not.
    zero_is_even : bool
        Whether zero means that the prompt fits as well as those that it is compared with.
    """

    name: ClassVar[Score]
    help: ClassVar[str]
    methods_sentence: ClassVar[str]
    takes_baseline: ClassVar[bool] = False
    requires_baseline: ClassVar[bool] = False
    unit: ClassVar[str] = "cosine"
    neutral_note: ClassVar[str] = ""
    zero_is_even: ClassVar[bool] = False

    def needs_neutral(self, compared: list[bool]) -> bool:
        """Return whether the neutral prompts take part where the user gave no baseline."""
        return False

    def directions(self, comparison: Comparison) -> NDArray[np.float64]:
        """Return the directions to multiply the token map with, prompts first."""
        return comparison.own

    def maps(self, values: NDArray[Any], n_prompts: int, scale: float) -> NDArray[Any]:
        """Return maps (prompt, y, x) from the token map times the directions.

        Parameters
        ----------
        values : float32 (direction, y, x)
            Contributions to the cosine similarity.
        n_prompts : int
            The first so many directions belong to prompts.
        scale : float
            From the contribution of one patch to the logit of a tile made of such patches only.
        """
        return values

    def map_directions(self, directions: NDArray[Any], n_prompts: int) -> NDArray[Any]:
        """Return per prompt a direction whose map varies as the shown map does."""
        return directions[:n_prompts]

    def note(self, n_compared: int) -> str:
        """Return what users must know about this many compared prompts; empty if nothing."""
        return ""


class Relative(ScoreMethod):
    """Each prompt minus the mean over the prompts (arXiv 2310.05916, section 5)."""

    name = "relative"
    help = (
        "how much better a prompt fits here than the prompts do on average; "
        "a single prompt is compared with neutral prompts"
    )
    methods_sentence = "the mean over {against} was subtracted"
    zero_is_even = True
    neutral_note = (
        "A single prompt has no others to be relative to; "
        "the mean over {count} neutral prompts was subtracted instead."
    )

    def needs_neutral(self, compared: list[bool]) -> bool:
        """With one compared prompt, the mean over prompts would leave nothing."""
        return sum(compared) == 1

    def directions(self, comparison: Comparison) -> NDArray[np.float64]:
        """Subtract the mean over the compared prompts, or over the neutral prompts."""
        if not any(comparison.compared):
            return comparison.own
        others = comparison.baseline
        reference = others if len(others) else comparison.text[comparison.compared]
        return comparison.minus(reference.mean(axis=0))

    def note(self, n_compared: int) -> str:
        """Two maps that sum to zero are the negatives of one another."""
        if n_compared != 2:
            return ""
        return Note(
            "With two prompts the relative maps are exact mirrors of one another; "
            "add a third prompt, or use the absolute or contrast score.",
            NoteKind.MIRRORED_MAPS,
        )


class Absolute(ScoreMethod):
    """Each prompt by itself."""

    name = "absolute"
    help = "the patch's contribution to the cosine similarity between image and text"
    methods_sentence = "nothing was subtracted"


class Contrast(ScoreMethod):
    """Each prompt minus the mean over a baseline that the user gives."""

    name = "contrast"
    help = "how much better a prompt fits here than the baseline prompts do on average"
    methods_sentence = "the mean over {against} was subtracted"
    zero_is_even = True
    takes_baseline = True
    requires_baseline = True

    def directions(self, comparison: Comparison) -> NDArray[np.float64]:
        """Subtract the mean over the baseline."""
        if not any(comparison.compared):
            return comparison.own
        return comparison.minus(comparison.baseline.mean(axis=0))


class Softmax(ScoreMethod):
    """Softmax over the prompts, patch by patch, at the model's own logit scale."""

    name = "softmax"
    help = "probability of each prompt in a patch, by the model's own logit scale"
    methods_sentence = "the softmax over {against} was taken at the model's own logit scale"
    takes_baseline = True
    unit = "probability"
    neutral_note = (
        "A single prompt always has probability 1; "
        "the softmax was taken against {count} neutral prompts."
    )

    def needs_neutral(self, compared: list[bool]) -> bool:
        """With one prompt there is nothing to compete with."""
        return len(compared) == 1

    def directions(self, comparison: Comparison) -> NDArray[np.float64]:
        """Let the baseline compete: its directions follow those of the prompts."""
        import numpy as np

        return np.concatenate([comparison.own, comparison.baseline])

    def maps(self, values: NDArray[Any], n_prompts: int, scale: float) -> NDArray[Any]:
        """Return ``exp(scale * v_p) / sum_q exp(scale * v_q)`` for the prompts p."""
        import numpy as np

        logits = values * np.float32(scale)
        logits -= logits.max(axis=0)
        odds = np.exp(logits)
        likely: NDArray[Any] = odds[:n_prompts] / odds.sum(axis=0)
        return likely

    def map_directions(self, directions: NDArray[Any], n_prompts: int) -> NDArray[Any]:
        """Only differences between prompts change the map."""
        centered: NDArray[Any] = directions - directions.mean(axis=0)
        return centered[:n_prompts]


SCORES: Mapping[Score, ScoreMethod] = {
    method.name: method for method in (Relative(), Absolute(), Contrast(), Softmax())
}
"""Every score by its name, the default first."""


def score_method(name: object) -> ScoreMethod:
    """Return the score of a name.

    Raises
    ------
    PromptError
        There is no such score.
    """
    for method in SCORES.values():
        if isinstance(name, str) and method.name == name:
            return method
    raise PromptError(
        f"the score {shown_value(name)} is unknown; accepted: {', '.join(map(repr, SCORES))}"
    )
