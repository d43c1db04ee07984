"""The scores: what each one computes, and the words that describe it everywhere.

To add a score, write its class here and list it in `Score` and `SCORES`. The viewer's choices and
tooltips, the command line's help and the methods paragraph all read from this table.

Nothing heavy is imported here, because the command line reads the table before it starts any work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from napari_clip_heatmap.errors import PromptError, shorten, shown_value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "SCORES",
    "Comparison",
    "Note",
    "NoteKind",
    "Score",
    "ScoreMethod",
    "alike_notes",
    "score_method",
]

_NAMED = 5
"""Prompts that a note names beside the first."""

Score = Literal["relative", "balanced", "absolute", "contrast", "softmax"]
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


def alike_notes(pairs: Iterable[tuple[str, str, float]]) -> Iterator[str]:
    """Say which maps are nearly the same: not of each pair, as of 30 prompts there may be 435.

    Parameters
    ----------
    pairs : iterable of (prompt, prompt, correlation)
        All pairs that are alike, in the order of the prompts.

    Yields
    ------
    str
        Every prompt of a pair is counted in one of them.
    """
    groups: dict[str, list[tuple[str, float]]] = {}
    seen: set[str] = set()
    for one, other, correlation in pairs:
        if not {one, other} <= seen:
            groups.setdefault(one, []).append((other, correlation))
            seen |= {one, other}
    for one, others in groups.items():
        names = ", ".join(f"'{shorten(each)}'" for each, _ in others[:_NAMED])
        more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        yield (
            f"The maps of '{shorten(one)}' and {names}{more} are nearly the same "
            f"(correlation {min(each for _, each in others):.2f})."
        )


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
    meanings : callable() -> (bool (prompt,), float)
        Which prompts are nonsense to the model, and the distance below which two prompts mean the
        same. Asked only by scores that need it: nonsense must be encoded once per model.
    neutral : callable() -> float64 (neutral prompt, d_embed)
        Unit directions of the neutral prompts, for scores that need them.
    """

    text: NDArray[np.float64]
    own: NDArray[np.float64]
    compared: list[bool]
    baseline: NDArray[np.float64]
    meanings: Callable[[], tuple[NDArray[np.bool_], float]]
    neutral: Callable[[], NDArray[np.float64]]

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
        Whether zero means that nothing is left for the prompt once the others are subtracted; the
        viewer draws values at and below it clear.
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
            The model's logit scale, times the patches of a tile.
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


class Balanced(ScoreMethod):
    """Each prompt minus half of what the others have in common: between relative and absolute."""

    name = "balanced"
    help = (
        "how well a prompt fits here, minus half of what all named things have in common; nonsense "
        "words and synonyms in the list change nothing"
    )
    methods_sentence = (
        "half of the mean over one direction for each thing that the prompts name was subtracted; "
        "prompts without meaning to the model were left out of that mean, and where no other thing "
        "was named the mean over neutral prompts took its place"
    )
    zero_is_even = True

    def directions(self, comparison: Comparison) -> NDArray[np.float64]:
        """Subtract half of the mean over things: the prompt itself, and one for each other."""
        import numpy as np
        from scipy.sparse.csgraph import connected_components

        compared = np.array(comparison.compared)
        if not compared.any():
            return comparison.own
        nonsense, alike = comparison.meanings()
        text, counted = comparison.text, compared & ~nonsense
        squared = 2 - 2 * text[counted] @ text[counted].T  # of unit directions
        n_things, thing = connected_components(squared < alike**2, directed=False)
        means = np.zeros((n_things, text.shape[1]))
        np.add.at(means, thing, text[counted])
        means /= np.bincount(thing, minlength=n_things)[:, np.newaxis]
        others = np.broadcast_to(means.sum(axis=0), text.shape).copy()
        n_others = np.full(len(text), n_things)
        others[counted] -= means[thing]
        n_others[counted] -= 1
        shared = (text + others) / (1 + n_others)[:, np.newaxis]
        alone = n_others == 0
        if alone[compared].any():
            shared[alone] = comparison.neutral().mean(axis=0)
        directions = comparison.own.copy()
        directions[compared] -= shared[compared] / 2
        return directions


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
    """Softmax over the prompts, patch by patch, at the model's own logit scale.

    A patch's contribution times the number of patches of a tile is the cosine that the tile's
    patches would sum to if each contributed what this one does. That is not what the model answers
    on a picture tiled from the patch: there the patches see one another, and the two agree in 0.23.
    """

    name = "softmax"
    help = (
        "which prompt fits a patch best, as fractions that sum to 1 over the prompts; they are "
        "not the model's probabilities"
    )
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
    method.name: method for method in (Relative(), Balanced(), Absolute(), Contrast(), Softmax())
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
