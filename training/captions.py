"""Captions for drawn scenes, and whether each is true of a view.

A caption is what a person would write under a picture. It names one class or several, or says that
there is nothing, or what kind of picture it is; it may add a color or a density. Truth is
three-valued: a class of which only a sliver reaches into a view is neither there nor not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.scenes.vocabulary import (
    CLASSES,
    COLORS,
    DENSITIES,
    EMPTY_NAMES,
    MODALITY_NAMES,
    NAMES,
    TEMPLATES,
)

__all__ = ["FALSE", "TRUE", "UNCLEAR", "Caption", "Content", "caption_set", "truth", "vocabulary"]

FALSE, TRUE, UNCLEAR = 0, 1, -1

_CONJUNCTIONS = ("{} and {}", "{}, {}", "{} with {}")
_SPARSE_BELOW, _DENSE_ABOVE = 0.08, 0.25


@dataclass(frozen=True, slots=True)
class Content:
    """What one view shows.

    Attributes
    ----------
    present : mapping of class to TRUE or UNCLEAR
        Classes that are not listed are absent.
    coverage : mapping of class to share of the view's area
    colors : mapping of class to color word
    modality : str
    """

    present: dict[str, int]
    coverage: dict[str, float]
    colors: dict[str, str]
    modality: str


@dataclass(frozen=True, slots=True)
class Caption:
    """A text, and what must hold for it to be true.

    Attributes
    ----------
    text : str
    classes : tuple of str
        All of them must be present.
    color, density : str
        Of the first class; empty where nothing is said.
    modality : str
        Kind of picture it speaks of, or empty.
    is_empty : bool
        It says that no class is present.
    """

    text: str
    classes: tuple[str, ...] = ()
    color: str = ""
    density: str = ""
    modality: str = ""
    is_empty: bool = False


def truth(caption: Caption, content: Content) -> int:
    """Return TRUE, FALSE or UNCLEAR."""
    if caption.is_empty:
        if TRUE in content.present.values():
            return FALSE
        return UNCLEAR if content.present else TRUE
    states = [content.present.get(name, FALSE) for name in caption.classes]
    if caption.modality:
        states.append(TRUE if content.modality == caption.modality else FALSE)
    if caption.color:
        states.append(_color_state(caption, content))
    if caption.density and states[0] == TRUE:
        states.append(_density_state(caption, content))
    if FALSE in states:
        return FALSE
    return UNCLEAR if UNCLEAR in states else TRUE


def _color_state(caption: Caption, content: Content) -> int:
    seen = content.colors.get(caption.classes[0])
    if seen is None:
        return UNCLEAR
    return TRUE if seen == caption.color else FALSE


def _density_state(caption: Caption, content: Content) -> int:
    coverage = content.coverage[caption.classes[0]]
    if _SPARSE_BELOW <= coverage <= _DENSE_ABOVE:
        return UNCLEAR
    seen = "sparse" if coverage < _SPARSE_BELOW else "dense"
    return TRUE if seen == caption.density else FALSE


def _phrase(rng: np.random.Generator, name: str, *, canonical: float = 0.35) -> str:
    names = NAMES[name]
    return names[0] if rng.random() < canonical else str(rng.choice(names))


def _worded(rng: np.random.Generator, phrase: str) -> str:
    return str(rng.choice(TEMPLATES)).format(phrase)


def _about(rng: np.random.Generator, content: Content) -> Caption | None:
    """Write one caption of several words for a view, or None if it shows nothing clearly."""
    shown = [name for name, state in content.present.items() if state == TRUE]
    if not shown:
        return None
    first = str(rng.choice(shown))
    color = content.colors.get(first, "") if rng.random() < 0.5 else ""
    density = str(rng.choice(DENSITIES)) if not color and rng.random() < 0.5 else ""
    phrase = " ".join(filter(None, (color or density, _phrase(rng, first))))
    others = [name for name in shown if name != first]
    if others and (rng.random() < 0.6 or not (color or density)):
        second = str(rng.choice(others))
        joined = str(rng.choice(_CONJUNCTIONS)).format(phrase, _phrase(rng, second))
        return Caption(_worded(rng, joined), (first, second), color, density)
    return Caption(_worded(rng, phrase), (first,), color, density)


def caption_set(
    rng: np.random.Generator, contents: Sequence[Content], *, per_class: int = 3, extra: int = 28
) -> tuple[list[Caption], NDArray[np.int8]]:
    """Write the captions of a batch and tell which is true of which view.

    Returns
    -------
    captions : list of Caption
    states : ndarray (view, caption) int8
        TRUE, FALSE or UNCLEAR.
    """
    captions = [
        Caption(_worded(rng, _phrase(rng, name)), (name,))
        for name in CLASSES
        for _ in range(per_class)
    ]
    captions += [Caption(str(rng.choice(EMPTY_NAMES)), is_empty=True) for _ in range(2)]
    captions += [
        Caption(str(rng.choice(names)), modality=kind) for kind, names in MODALITY_NAMES.items()
    ]
    for index in rng.permutation(len(contents))[:extra]:
        caption = _about(rng, contents[index])
        if caption is not None:
            captions.append(caption)
    states = [[truth(caption, content) for caption in captions] for content in contents]
    return captions, np.asarray(states, np.int8)


def vocabulary() -> tuple[str, ...]:
    """Return every word that a caption can contain, sorted."""
    phrases = [*EMPTY_NAMES, *TEMPLATES, *_CONJUNCTIONS, *COLORS, *DENSITIES]
    for names in (*NAMES.values(), *MODALITY_NAMES.values()):
        phrases += names
    text = " ".join(phrases).replace("{}", " ").replace(",", " ")
    return tuple(sorted(set(text.split())))
