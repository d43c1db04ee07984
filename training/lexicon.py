"""Names of everything that captions speak of: synonyms, stains, channels and kinds of microscopy.

The text tower knows no more of language than this table and the word pieces that its names share.
The canonical name comes first; the nine classes of `napari_clip_heatmap.scenes` keep theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from napari_clip_heatmap.scenes.vocabulary import BLOOD_CLASSES, CELL_CLASSES, CLASSES, NAMES

__all__ = [
    "ALSO_TRUE",
    "CLASS_OF",
    "INDEX_NAMES",
    "LEXICON",
    "MODALITIES",
    "MODALITY_SHOWS",
    "MODALITY_STATES",
    "read_lexicon",
]


def read_lexicon(path: Path) -> dict[str, tuple[str, ...]]:
    """Return the names of each class, its canonical name first."""
    names = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, others = line.partition(": ")
            names[name] = (name, *others.split(", "))
    return names


_LISTED = read_lexicon(Path(__file__).with_name("lexicon.txt"))
_NARROWER = frozenset(
    each for name, names in _LISTED.items() if name not in CLASSES for each in names
)
"""Names of classes of their own, though scenes use some of them for what they draw."""

LEXICON: Mapping[str, tuple[str, ...]] = {
    name: tuple(
        each
        for each in dict.fromkeys((*NAMES.get(name, ()), *names))
        if name not in CLASSES or each not in _NARROWER
    )
    for name, names in _LISTED.items()
}
"""Canonical class name -> its names, the canonical one first; no name is of two classes."""

CLASS_OF: Mapping[str, str] = {each: name for name, names in LEXICON.items() for each in names}
"""Any name -> the canonical name of its class."""

INDEX_NAMES: Mapping[str, str] = {
    "fibre": "fibers",
    "mitosis": "dividing cells",
    "nucleus": "nuclei",
    **{name.removesuffix("s"): name for name in LEXICON},
    **{name: name for name in LEXICON},
}
"""Class name in an index of micrographs -> canonical name."""

ALSO_TRUE: Mapping[str, tuple[str, ...]] = {
    "filaments": ("actin", "microtubules", "fibers"),
    "vesicles": ("spots",),
    "red blood cells": ("cells",),
    "white blood cells": ("cells",),
    "actin": ("filaments",),
    "microtubules": ("filaments",),
    "collagen": ("fibers",),
    "neurons": ("cells",),
    "yeast": ("cells",),
    "stomata": ("plant cells",),
    "dividing cells": ("cells",),
}
"""Class -> classes that are true wherever it is. Drawn filaments may be of any of three kinds."""

MODALITIES: Mapping[str, tuple[str, ...]] = {
    "fluorescence": (
        "fluorescence", "a fluorescence image", "fluorescence microscopy", "fluorescent",
        "confocal", "confocal microscopy", "immunofluorescence", "gfp", "widefield fluorescence",
    ),
    "brightfield": (
        "brightfield", "a brightfield image", "transmitted light", "bright field microscopy",
    ),
    "histology": ("histology", "stained tissue", "h&e", "h&e stain", "pathology slide"),
    "smear": (
        "a blood smear", "blood", "a stained blood smear", "giemsa", "giemsa stain", "blood film",
    ),
    "phase": ("phase contrast", "phase contrast microscopy", "a phase contrast image", "dic"),
    "EM": (
        "electron microscopy", "em", "transmission electron microscopy", "tem",
        "an electron micrograph",
    ),
    "SEM": ("scanning electron microscopy", "sem", "a scanning electron micrograph"),
    "reflected light": ("reflected light", "optical micrograph", "a metallographic image"),
    "SHG": ("second harmonic generation", "shg", "label free imaging"),
    "gram": ("gram stain", "gram stained", "a gram stained slide"),
}  # fmt: skip
"""Kind of picture -> what a caption may call it."""

MODALITY_STATES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "brightfield": (("brightfield",), ("histology", "phase", "reflected light")),
    "stained": (("brightfield", "histology"), ()),
    "smear": (("smear",), ("brightfield",)),
    "histology": (("histology",), ("brightfield",)),
    "gram": (("gram",), ("brightfield",)),
    "phase": (("phase",), ("brightfield",)),
    "EM": (("EM",), ("SEM",)),
    "SEM": (("SEM", "EM"), ()),
    "SHG": (("SHG",), ("fluorescence",)),
}
"""Modality of a picture -> kinds that are true of it, and kinds of which it is unclear.

Of a modality that is not listed, only the kind of its own name is true.
"""

MODALITY_SHOWS: Mapping[str, tuple[str, ...]] = {
    "fluorescence": (
        *CELL_CLASSES, *CELL_CLASSES, "cells", "cytoplasm", "actin", "microtubules", "spots",
        "endoplasmic reticulum", "golgi", "nuclear envelope", "chromosomes", "dividing cells",
        "comets", "embryo", "zebrafish", "worms", "tissue", "plant cells", "cell walls", "fibers",
        "collagen", "glial cells", "neurons", "neurites", "particles", "yeast",
    ),
    "stained": (*CELL_CLASSES, "tissue"),
    "histology": ("nuclei", "tissue", "cells", "collagen"),
    "smear": BLOOD_CLASSES,
    "brightfield": (
        "neurons", "neurites", "plankton", "plant cells", "yeast", "stomata", "bacteria",
        "cell walls", "worms", "beads", "particles", "bubbles", "leaf veins", "embryo", "cells",
        "droplets", "debris",
    ),
    "phase": ("cells", "yeast", "bacteria", "debris"),
    "gram": ("bacteria",),
    "EM": (
        "membranes", "mitochondria", "neurons", "plant cells", "chloroplasts", "cell walls",
        "endoplasmic reticulum", "vesicles", "nuclei", "golgi",
    ),
    "SEM": (
        "pores", "axons", "myelin", "precipitates", "oxide layer", "cracks", "diatoms", "fibers",
        "grains", "bubbles", "metal", "grain boundaries", "particles",
    ),
    "SHG": ("fibers", "collagen"),
    "reflected light": ("metal", "grains", "melt pools", "grain boundaries", "cracks", "pores"),
}  # fmt: skip
"""Modality -> classes that pictures of it may show, for captions that are made up."""
