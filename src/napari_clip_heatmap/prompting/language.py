"""The prompt language: synonyms and contrasts in one line of text.

``nuclei | cell nuclei``
    Names of one thing; their directions are averaged.
``mitochondria - background``
    What is found beyond the background: a baseline for this prompt only. The minus stands between
    spaces, so that hyphenated words stay whole. Several may follow, each with synonyms.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, islice

from napari_clip_heatmap.errors import PromptError, shorten, shown_value
from napari_clip_heatmap.prompting.example import Example

__all__ = [
    "PLAIN",
    "TEMPLATES",
    "Phrase",
    "Prompt",
    "distinct",
    "fill_template",
    "listed",
    "parse_phrase",
    "parse_prompt",
    "parse_templates",
]


Phrase = tuple[str, ...]
"""Names of one thing, each once."""

LONGEST_PROMPT = 10_000
"""Characters; a longer text is no prompt, but a file that was pasted."""

MOST_PROMPTS = 10_000
"""Prompts in one list."""

_MINUS = re.compile(r"(?:^|\s)-(?=\s|$)")

_HOW = "write names of one thing as 'nuclei | cell nuclei', a contrast as 'nuclei - background'"


@dataclass(frozen=True)
class Prompt:
    """One parsed line.

    Parameters
    ----------
    text : str
        As the user wrote it, without surrounding spaces and a comma at the end.
    names : tuple of str
        Synonyms of what to look for.
    minus : tuple of tuple of str
        What it is contrasted with, each with its synonyms; usually empty.
    example : Example, optional
        What stands in place of words; `text` is its name then, and there are no names.
    """

    text: str
    names: Phrase
    minus: tuple[Phrase, ...] = ()
    example: Example | None = None

    @property
    def canonical(self) -> str:
        """The prompt with normalized spaces: prompts that are equal here mean the same."""
        if self.example is not None:
            return " ".join(self.text.split())
        return " - ".join(" | ".join(phrase) for phrase in (self.names, *self.minus))

    @property
    def compared(self) -> bool:
        """Whether scores compare it with the other prompts: it has no contrast of its own."""
        return not self.minus and self.example is None

    @property
    def row(self) -> str | Example:
        """What `Encoding.heatmaps` takes: the text, or the example."""
        return self.text if self.example is None else self.example


def parse_prompt(line: object, what: str = "prompts") -> Prompt:
    """Read one prompt.

    Parameters
    ----------
    line : str
    what : str
        Name of the list the line comes from, for the message.

    Raises
    ------
    PromptError
        It is not text, is blank or too long, or a word is missing next to a sign.
    """
    if not isinstance(line, str) or not line.strip().rstrip(", "):
        raise PromptError(
            f"one of the {what} is {shown_value(line)}; each must be text with at least one "
            "word: fill it in or remove it"
        )
    if len(line) > LONGEST_PROMPT:
        raise PromptError(
            f"one of the {what} has {len(line)} characters ('{shorten(line)}'); accepted: up to "
            f"{LONGEST_PROMPT}. Give each prompt separately"
        )
    text = line.strip().rstrip(", ")
    names, *minus = (_split_names(part, text) for part in _MINUS.split(text))
    return Prompt(text, names, tuple(dict.fromkeys(minus)))


def parse_phrase(line: object) -> Phrase:
    """Read one baseline prompt, which may have synonyms, but no contrast.

    Raises
    ------
    PromptError
        As `parse_prompt` does, or there is a contrast.
    """
    prompt = parse_prompt(line, "baseline prompts")
    if prompt.minus:
        raise PromptError(
            f"'{shorten(prompt.text)}' is one of the baseline prompts, which take no contrast of "
            "their own; write each thing to subtract on its own line"
        )
    return prompt.names


def listed(lines: object, what: str = "prompts") -> tuple[object, ...]:
    """Return the items of a list of prompts; a single string is one prompt.

    Raises
    ------
    PromptError
        It is not a list, or has too many items.
    """
    if isinstance(lines, str | Example):
        return (lines,)
    if not isinstance(lines, Iterable) or isinstance(lines, bytes | bytearray):
        raise PromptError(
            f"the {what} are {shown_value(lines)}; accepted: a text, or a list of texts"
        )
    try:
        items = tuple(islice(lines, MOST_PROMPTS + 1))
    except Exception as error:
        raise PromptError(
            f"the {what} are {shown_value(lines)}, which cannot be read one by one "
            f"({type(error).__name__}); accepted: a text, or a list of texts"
        ) from error
    if len(items) > MOST_PROMPTS:
        raise PromptError(f"there are more than {MOST_PROMPTS} {what}; give fewer at a time")
    return items


def distinct(lines: object, what: str = "prompts") -> tuple[Prompt, ...]:
    """Read each prompt once, in order; examples may stand among them.

    Raises
    ------
    PromptError
        As `listed` and `parse_prompt` do, or an example has the name of another prompt.
    """
    first: dict[str, Prompt] = {}
    for line in listed(lines, what):
        if isinstance(line, Example):
            prompt = Prompt(line.name, (), (), line)
        else:
            prompt = parse_prompt(line, what)
        same = first.setdefault(prompt.canonical, prompt)
        if same.example != prompt.example:
            raise PromptError(
                f"two of the {what} are called '{shorten(prompt.text)}', and one of them is an "
                "example; accepted: a name of its own for each. Rename the example"
            )
    return tuple(first.values())


def _split_names(part: str, text: str) -> Phrase:
    names = tuple(dict.fromkeys(" ".join(name.split()).rstrip(", ") for name in part.split("|")))
    if "" in names:
        raise PromptError(f"in '{shorten(text)}' a word is missing next to '|' or ' - '; {_HOW}")
    return names


PLAIN = ("{}",)
"""The user's words alone."""

TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "plain": PLAIN,
    "photo": (
        "a photo of {}",
        "a close-up photo of {}",
        "a bright photo of {}",
        "a photo of many {}",
        "a cropped photo of {}",
        "there are {} here",
    ),
    "fluorescence": (
        "{}",
        "a fluorescence image of {}",
        "a fluorescence microscopy image of {}",
        "a microscopy image of {}",
        "labelled {}",
        "stained {}",
    ),
    "brightfield": (
        "{}",
        "a brightfield image of {}",
        "a brightfield microscopy image of {}",
        "a microscopy image of {}",
        "{} under the microscope",
    ),
    "histology": (
        "a histology image of {}",
        "a stained tissue section with {}",
        "an H&E stained image of {}",
        "a histopathology slide showing {}",
        "{} in stained tissue",
    ),
    "electron microscopy": (
        "an electron microscopy image of {}",
        "an electron micrograph of {}",
        "a transmission electron microscopy image of {}",
        "a scanning electron microscopy image of {}",
        "{} in an electron micrograph",
    ),
}
"""Sets by name."""


def parse_templates(templates: str | Iterable[str]) -> tuple[str, ...]:
    """Return sentences, each once.

    Parameters
    ----------
    templates : str or iterable of str
        The name of a set, or sentences with ``{}`` where the prompt's name goes. A list may hold
        names of sets too. One string with ``{}`` is one sentence.

    Raises
    ------
    PromptError
        There is no such set, or a sentence has no place for the name.
    """
    if isinstance(templates, str) and "{}" not in templates:
        if templates not in TEMPLATES:
            raise PromptError(
                f"there is no set of templates '{shorten(templates)}'; accepted: "
                f"{', '.join(TEMPLATES)}, or sentences of your own such as 'a photo of {{}}'"
            )
        return TEMPLATES[templates]
    sentences = tuple(
        dict.fromkeys(chain.from_iterable(map(_sentences, listed(templates, "templates"))))
    )
    if not sentences:
        raise PromptError("there is no template; use 'plain' for the words as they are")
    return sentences


def _sentences(template: object) -> tuple[str, ...]:
    """Return the sentences of a set, or one sentence of the user's."""
    if not isinstance(template, str):
        raise PromptError(
            f"one of the templates is {shown_value(template)}; accepted: text such as "
            "'a photo of {}'"
        )
    sentence = template.strip()
    if sentence in TEMPLATES:
        return TEMPLATES[sentence]
    if sentence.count("{}") != 1:
        raise PromptError(
            f"the template '{shorten(sentence)}' must have {{}} once, where the prompt's name "
            "goes, as in 'a photo of {}'"
        )
    return (sentence,)


def fill_template(template: str, name: str) -> str:
    """Put a name into a sentence; unlike `str.format`, whatever braces the name has."""
    return template.replace("{}", name)
