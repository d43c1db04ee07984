"""One line of the user's, read as synonyms and as what they are contrasted with.

``nuclei | cell nuclei``
    Names for one thing; their directions are averaged.
``mitochondria - background``
    What is found beyond the background: a baseline of this prompt's own. Between spaces, so that
    hyphenated words stay whole. Several may follow, and each may have synonyms.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from napari_clip_heatmap.errors import PromptError

__all__ = ["Phrase", "Prompt", "distinct", "parse_phrase", "parse_prompt"]

Phrase = tuple[str, ...]
"""Names for one thing, each once."""

_MINUS = re.compile(r"(?:^|\s)-(?=\s|$)")
_HOW = "write names of one thing as 'nuclei | cell nuclei', a contrast as 'nuclei - background'"


@dataclass(frozen=True)
class Prompt:
    """What one line asks for.

    Parameters
    ----------
    text : str
        As the user wrote it, without the spaces around.
    names : tuple of str
        Synonyms of what is looked for.
    minus : tuple of tuple of str
        What it is contrasted with, each with its synonyms; mostly none.
    """

    text: str
    names: Phrase
    minus: tuple[Phrase, ...] = ()

    @property
    def canonical(self) -> str:
        """The prompt with every space where it belongs: two that are equal here ask the same."""
        return " - ".join(" | ".join(phrase) for phrase in (self.names, *self.minus))


def parse_prompt(line: object, what: str = "prompts") -> Prompt:
    """Read one prompt.

    Parameters
    ----------
    line : str
    what : str
        What the line is one of, for the message.

    Raises
    ------
    PromptError
        It is no text, is blank, or something is missing beside a sign.
    """
    if not isinstance(line, str) or not line.strip():
        raise PromptError(
            f"one of the {what} is {line!r}; each must be text with at least one word: "
            "fill it in or remove it"
        )
    text = line.strip()
    names, *minus = (_names(part, text) for part in _MINUS.split(text))
    return Prompt(text, names, tuple(dict.fromkeys(minus)))


def parse_phrase(line: object, what: str = "baseline prompts") -> Phrase:
    """Read one prompt that may have synonyms, but no contrast.

    Raises
    ------
    PromptError
        As `parse_prompt` does, or there is a contrast.
    """
    prompt = parse_prompt(line, what)
    if prompt.minus:
        raise PromptError(
            f"{prompt.text!r} is one of the {what}, and these take no contrast of their own; "
            "name each thing that is to be taken off in a line"
        )
    return prompt.names


def distinct(lines: Iterable[object], what: str = "prompts") -> tuple[Prompt, ...]:
    """Read each prompt once, in order; one string is one prompt.

    Raises
    ------
    PromptError
        As `parse_prompt` does.
    """
    read = (parse_prompt(line, what) for line in ((lines,) if isinstance(lines, str) else lines))
    first: dict[str, Prompt] = {}
    for prompt in read:
        first.setdefault(prompt.canonical, prompt)
    return tuple(first.values())


def _names(part: str, text: str) -> Phrase:
    names = tuple(dict.fromkeys(" ".join(name.split()) for name in part.split("|")))
    if "" in names:
        raise PromptError(f"in {text!r} a word is missing beside '|' or ' - '; {_HOW}")
    return names
