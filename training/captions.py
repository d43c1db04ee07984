"""Captions for pictures, and whether each is true of a view.

A caption is what a person would write under a picture. It names one class or several, or says that
there is nothing, or what kind of picture it is; it may add a color or a density, and now and then a
word is mistyped. Truth is three-valued: a class of which only a sliver reaches into a view is
neither there nor not there, and so is one that nobody looked for.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.scenes.vocabulary import (
    CLASSES,
    COLORS,
    DENSITIES,
    EMPTY_NAMES,
    TEMPLATES,
)
from training.lexicon import ALSO_TRUE, LEXICON, MODALITIES, MODALITY_STATES
from training.typos import misspell

__all__ = [
    "FALSE",
    "TRUE",
    "UNCLEAR",
    "Caption",
    "Content",
    "caption_set",
    "phrases",
    "truth",
    "truths",
    "vocabulary",
    "with_implied",
]

FALSE, TRUE, UNCLEAR = 0, 1, -1

_CONJUNCTIONS = ("{} and {}", "{}, {}", "{} with {}")
_MODIFIERS = (
    "{} structures",
    "{} network",
    "{} clusters",
    "{} bundles",
    "{} regions",
    "{} signal",
    "{} channel",
    "{} marker",
    "clusters of {}",
    "bundles of {}",
    "several {}",
    "many {}",
    "a single {}",
    "small {}",
    "large {}",
    "bright {}",
    "dark {}",
    "living {}",
    "isolated {}",
    "labelled with {}",
)
"""What may stand around a name without changing what it names."""
_MODIFIED = 0.2
_SPARSE_BELOW, _DENSE_ABOVE = 0.08, 0.25
_MISTYPED = 0.06
"""Part of the names that are mistyped."""


@dataclass(frozen=True, slots=True)
class Content:
    """What one view shows.

    Attributes
    ----------
    present : mapping of class to TRUE or UNCLEAR
        Classes that are not listed are absent.
    coverage : mapping of class to share of the view's area
        Of the classes for which it is known.
    colors : mapping of class to color word
    modality : str
    is_real_smear : bool
        It is of a real picture of blood.
    masks : mapping of class to bool (y, x)
        Of the classes whose places are known.
    """

    present: dict[str, int]
    coverage: dict[str, float]
    colors: dict[str, str]
    modality: str
    is_real_smear: bool = False
    masks: dict[str, NDArray[np.bool_]] = field(default_factory=dict, compare=False)


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


def with_implied(present: dict[str, int], unclear: Iterable[str] = ()) -> dict[str, int]:
    """Return what is present with what follows from it, and with what else may be there."""
    found = dict(present)
    for name, state in present.items():
        for other in ALSO_TRUE.get(name, ()):
            if found.get(other) != TRUE:
                found[other] = state
    for name in unclear:
        found.setdefault(name, UNCLEAR)
    return found


def truth(caption: Caption, content: Content) -> int:
    """Return TRUE, FALSE or UNCLEAR."""
    if caption.is_empty:
        if TRUE in content.present.values():
            return FALSE
        return UNCLEAR if content.present else TRUE
    states = [content.present.get(name, FALSE) for name in caption.classes]
    if caption.modality:
        states.append(_modality_state(caption.modality, content.modality))
    if caption.color:
        states.append(_color_state(caption, content))
    if caption.density and states[0] == TRUE:
        states.append(_density_state(caption, content))
    if FALSE in states:
        return FALSE
    return UNCLEAR if UNCLEAR in states else TRUE


def truths(captions: Sequence[Caption], contents: Sequence[Content]) -> NDArray[np.int8]:
    """Return the truth of each caption for each content, (content, caption) int8."""
    known: dict[Caption, dict[int, int]] = {}
    states = np.zeros((len(contents), len(captions)), np.int8)
    for row, content in enumerate(contents):
        for column, caption in enumerate(captions):
            # Most captions name one class that is absent: say so without asking further.
            if len(caption.classes) == 1 and caption.classes[0] not in content.present:
                continue
            of_content = known.setdefault(caption, {})
            if id(content) not in of_content:
                of_content[id(content)] = truth(caption, content)
            states[row, column] = of_content[id(content)]
    return states


def _modality_state(asked: str, seen: str) -> int:
    true, unclear = MODALITY_STATES.get(seen, ((seen,), ()))
    return TRUE if asked in true else UNCLEAR if asked in unclear else FALSE


def _color_state(caption: Caption, content: Content) -> int:
    seen = content.colors.get(caption.classes[0])
    if seen is None:
        return UNCLEAR
    return TRUE if seen == caption.color else FALSE


def _density_state(caption: Caption, content: Content) -> int:
    coverage = content.coverage.get(caption.classes[0])
    if coverage is None or _SPARSE_BELOW <= coverage <= _DENSE_ABOVE:
        return UNCLEAR
    seen = "sparse" if coverage < _SPARSE_BELOW else "dense"
    return TRUE if seen == caption.density else FALSE


def _phrase(rng: np.random.Generator, name: str, *, canonical: float = 0.3) -> str:
    names = LEXICON[name]
    chosen = names[0] if rng.random() < canonical else str(rng.choice(names))
    return misspell(rng, chosen, _KNOWN) if rng.random() < _MISTYPED else chosen


def _worded(rng: np.random.Generator, phrase: str) -> str:
    if rng.random() < _MODIFIED:
        phrase = str(rng.choice(_MODIFIERS)).format(phrase)
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
    rng: np.random.Generator, contents: Sequence[Content], *, per_class: int = 2, extra: int = 28
) -> tuple[list[Caption], NDArray[np.int8]]:
    """Write the captions of a batch, and say which is true of which view.

    Every class is named once, those that scenes draw and those that a view shows ``per_class``
    times.

    Returns
    -------
    captions : list of Caption
    states : ndarray (view, caption) int8
        TRUE, FALSE or UNCLEAR.
    """
    shown = {name for content in contents for name in content.present}
    captions = [
        Caption(_worded(rng, _phrase(rng, name)), (name,))
        for name in LEXICON
        for _ in range(per_class if name in shown or name in CLASSES else 1)
    ]
    captions += [Caption(str(rng.choice(EMPTY_NAMES)), is_empty=True) for _ in range(2)]
    captions += [
        Caption(str(rng.choice(names)), modality=kind) for kind, names in MODALITIES.items()
    ]
    for index in rng.permutation(len(contents))[:extra]:
        caption = _about(rng, contents[index])
        if caption is not None:
            captions.append(caption)
    return captions, truths(captions, contents)


def phrases() -> tuple[str, ...]:
    """Return every phrase from which captions are put together, without blanks to fill."""
    found = [*EMPTY_NAMES, *TEMPLATES, *_CONJUNCTIONS, *_MODIFIERS, *COLORS, *DENSITIES]
    for names in (*LEXICON.values(), *MODALITIES.values()):
        found += names
    return tuple(dict.fromkeys(phrase.replace("{}", " ") for phrase in found))


def vocabulary() -> tuple[str, ...]:
    """Return every word that a caption can contain if it is not mistyped, sorted.

    As the package reads a prompt's words: hyphens part them, punctuation around them is left out.
    """
    words = " ".join(phrases()).lower().replace("-", " ").split()
    return tuple(sorted({word.strip(string.punctuation) for word in words} - {""}))


_KNOWN = frozenset(vocabulary())
