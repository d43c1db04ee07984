"""Sentences around a name, averaged in embedding space: one direction that leans on no wording.

The practice is CLIP's own (Radford et al., 2021, section 3.1.4); the sentences are this project's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

from napari_clip_heatmap.errors import PromptError

__all__ = ["PLAIN", "TEMPLATES", "fill_template", "parse_templates"]

PLAIN = ("{}",)
"""The user's words, and nothing else."""

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
        The name of a set, or sentences of one's own with ``{}`` where the name goes, among which
        names of sets stand for theirs; one string with ``{}`` is one sentence.

    Raises
    ------
    PromptError
        There is no such set, or a sentence has no place for the name.
    """
    if isinstance(templates, str) and "{}" not in templates:
        if templates not in TEMPLATES:
            raise PromptError(
                f"there is no set of templates {templates!r}; accepted: "
                f"{', '.join(TEMPLATES)}, or sentences of your own such as 'a photo of {{}}'"
            )
        return TEMPLATES[templates]
    given = (templates,) if isinstance(templates, str) else templates
    sentences = (TEMPLATES.get(str(each).strip(), (str(each).strip(),)) for each in given)
    own = tuple(dict.fromkeys(chain.from_iterable(sentences)))
    if not own:
        raise PromptError("there is no template; use 'plain' for the words as they are")
    for sentence in own:
        if sentence.count("{}") != 1:
            raise PromptError(
                f"the template {sentence!r} must have {{}} once, where the prompt's name goes, "
                "as in 'a photo of {}'"
            )
    return own


def fill_template(template: str, name: str) -> str:
    """Put a name into a sentence; unlike `str.format`, whatever braces the name may have."""
    return template.replace("{}", name)
