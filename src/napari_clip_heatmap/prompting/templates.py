"""Sentences around a name, averaged in embedding space, so that no single sentence decides.

The method is CLIP's own (Radford et al., 2021, section 3.1.4); the sentences are this project's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

from napari_clip_heatmap.errors import PromptError, shorten, shown_value
from napari_clip_heatmap.prompting.language import listed

__all__ = ["PLAIN", "TEMPLATES", "fill_template", "parse_templates"]

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
