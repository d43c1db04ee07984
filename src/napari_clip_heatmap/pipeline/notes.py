"""Plain sentences on how maps are to be read, from what was asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.text import TextEncoder
    from napari_clip_heatmap.prompting.language import Phrase, Prompt

__all__ = ["on_score", "on_templates", "on_words"]


def on_score(
    asked: Sequence[Prompt], score: str, against: Sequence[Phrase], *, neutral: bool
) -> Iterator[str]:
    """Say what the score makes of these very prompts."""
    if score == "relative" and neutral:
        yield (
            "One prompt alone has no others to be relative to; "
            f"the mean over {len(against)} neutral prompts was taken off instead."
        )
    if score == "softmax" and neutral:
        yield (
            "One prompt alone is certain of itself; "
            f"the softmax was taken against {len(against)} neutral prompts."
        )
    if score == "relative" and sum(not prompt.minus for prompt in asked) == 2:
        yield (
            "With two prompts the relative maps are exact mirrors of one another; "
            "add a third prompt, or use the absolute or contrast score."
        )
    for prompt in asked:
        if (score == "contrast" and not prompt.minus and tuple(against) == (prompt.names,)) or (
            prompt.minus == (prompt.names,)
        ):
            yield f"{_short(prompt.text)} is contrasted with itself, so its map is zero."


def on_words(encoder: TextEncoder, named: Iterable[str]) -> Iterator[str]:
    """Say which of the user's words the model did not see, or never learnt."""
    for prompt in dict.fromkeys(named):
        if unread := encoder.unread_words(prompt):
            yield (
                f"{_short(prompt)} is longer than the model reads; "
                f"it did not see: {_short(' '.join(unread))}."
            )
        if unknown := encoder.unknown_words(prompt):
            yield f"In {_short(prompt)} the model was never trained on: {_quoted(unknown)}."


def on_templates(encoder: TextEncoder, templates: Iterable[str]) -> Iterator[str]:
    """Say which words of the templates the model never learnt."""
    words = (encoder.unknown_words(each.replace("{}", " ")) for each in templates if each != "{}")
    if unknown := dict.fromkeys(word for each in words for word in each):
        yield (
            f"The templates have words that the model was never trained on: {_quoted(unknown)}; "
            "use plain, or others."
        )


def _quoted(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def _short(text: str, limit: int = 60) -> str:
    return f"'{text}'" if len(text) <= limit else f"'{text[:limit]}…'"
