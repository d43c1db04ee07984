"""What people may ask of an image whose content is known: right, wrong, misspelled, combined."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from napari_clip_heatmap.evaluation.gibberish import CLASSIC, UNRELATED, draw_gibberish
from napari_clip_heatmap.evaluation.meaning.known_images import KnownImage
from napari_clip_heatmap.pipeline.nonsense import NONSENSE
from napari_clip_heatmap.scenes.vocabulary import NAMES, TEMPLATES

__all__ = ["ABSENT", "FALSE_GROUPS", "PRESENT", "TRUE_GROUPS", "ask_about", "gibberish"]

PRESENT, ABSENT = "what is there", "what is not there"

TRUE_GROUPS = (PRESENT, "in a sentence", "pairs, both there", "with its color")
"""Groups of prompts of which all that they name is there."""

FALSE_GROUPS = ("misspelled", "another language", "negated")
"""Groups of prompts that should never be trusted, though the thing is there."""

_FOREIGN: Mapping[str, tuple[str, ...]] = {
    "nuclei": ("Zellkerne", "noyaux", "núcleos", "ядра", "細胞核", "kernen"),
    "filaments": ("Filamente", "filaments d'actine", "filamentos"),
    "mitochondria": ("Mitochondrien", "mitochondries", "mitocondrias"),
    "bacteria": ("Bakterien", "bactéries", "bacterias"),
    "vesicles": ("Vesikel", "vésicules", "vesículas"),
    "membranes": ("Membranen", "membranas"),
    "red blood cells": ("rote Blutkörperchen", "globules rouges", "glóbulos rojos"),
    "white blood cells": ("weiße Blutkörperchen", "globules blancs", "Leukozyten"),
    "platelets": ("Blutplättchen", "plaquettes", "plaquetas"),
}

_SENTENCES = tuple(dict.fromkeys(each for each in TEMPLATES if each != "{}"))
_ALL_NAMES = frozenset(name for names in NAMES.values() for name in names)


def gibberish(seed: int, count: int) -> dict[str, tuple[str, ...]]:
    """Return gibberish by kind, without the built-in nonsense prompts."""
    kinds = {
        **draw_gibberish(seed, count),
        "classic": CLASSIC,
        "unrelated English": UNRELATED,
    }
    return {
        kind: tuple(prompt for prompt in prompts if prompt not in NONSENSE)
        for kind, prompts in kinds.items()
    }


def ask_about(known: KnownImage, seed: int) -> dict[str, tuple[str, ...]]:
    """Return prompts for an image by group; groups without any are left out.

    Parameters
    ----------
    known : KnownImage
    seed : int
        Draws misspellings, sentences and pairs.
    """
    rng = np.random.default_rng(seed)
    names = {each: NAMES[each] for each in known.classes}
    groups: dict[str, tuple[str, ...]] = {
        PRESENT: known.present,
        ABSENT: known.absent,
        "in a sentence": tuple(
            str(template).format(each) for each in names for template in rng.choice(_SENTENCES, 3)
        ),
        "pairs, both there": tuple(
            f"{rng.choice(names[one])} and {rng.choice(names[other])}"
            for one in names
            for other in names
            if one != other
        ),
        "with its color": tuple(
            f"{color} {name}"
            for each, color in known.colors.items()
            for name in names.get(each, ())
        ),
        "misspelled": tuple(
            typo
            for each in names
            for name in names[each]
            if (typo := _misspelled(name, rng)) not in _ALL_NAMES
        ),
        "another language": tuple(word for each in names for word in _FOREIGN[each]),
        "negated": tuple(f"no {each}" for each in names),
    }
    return {group: tuple(dict.fromkeys(found)) for group, found in groups.items() if found}


def _misspelled(name: str, rng: np.random.Generator) -> str:
    """Leave out a letter, double one, or exchange two."""
    at = int(rng.integers(1, max(2, len(name) - 1)))
    kind = rng.integers(3)
    if kind == 0:
        return name[:at] + name[at + 1 :]
    if kind == 1:
        return name[:at] + name[at] + name[at:]
    return name[: at - 1] + name[at] + name[at - 1] + name[at + 1 :]
