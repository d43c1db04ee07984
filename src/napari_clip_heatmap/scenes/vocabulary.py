"""What scenes can show, and the words that captions may use for it.

Captions are built only from this table, so it is also the list of words the bundled model knows.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = [
    "BLOOD_CLASSES",
    "CELL_CLASSES",
    "CLASSES",
    "COLORS",
    "DENSITIES",
    "EMPTY_NAMES",
    "MODALITY_NAMES",
    "NAMES",
    "TEMPLATES",
]

CELL_CLASSES = ("nuclei", "filaments", "mitochondria", "bacteria", "vesicles", "membranes")
"""Structures of fluorescence and brightfield scenes."""

BLOOD_CLASSES = ("red blood cells", "white blood cells", "platelets")
"""Cells of a stained blood smear."""

CLASSES = CELL_CLASSES + BLOOD_CLASSES
"""Every class a scene can show, by its canonical name."""

NAMES: Mapping[str, tuple[str, ...]] = {
    "nuclei": (
        "nuclei", "nucleus", "cell nuclei", "cell nucleus", "nuclear stain", "dapi", "hoechst",
    ),
    "filaments": (
        "filaments", "filament", "actin", "actin filaments", "microtubules", "fibers", "fibres",
        "cytoskeleton",
    ),
    "mitochondria": ("mitochondria", "mitochondrion", "mitochondrial network"),
    "bacteria": ("bacteria", "bacterium", "rods", "rod shaped bacteria", "bacilli", "microbes"),
    "vesicles": ("vesicles", "vesicle", "puncta", "lysosomes", "endosomes", "spots", "granules"),
    "membranes": (
        "membranes", "membrane", "cell membranes", "cell membrane", "cell boundaries",
        "cell borders", "cell outlines",
    ),
    "red blood cells": (
        "red blood cells", "red blood cell", "erythrocytes", "erythrocyte", "red cells", "rbc",
    ),
    "white blood cells": (
        "white blood cells", "white blood cell", "leukocytes", "leukocyte", "white cells", "wbc",
    ),
    "platelets": ("platelets", "platelet", "thrombocytes", "thrombocyte"),
}  # fmt: skip
"""Canonical class name -> the names a caption may use, the canonical one first."""

EMPTY_NAMES = ("background", "an empty field", "empty background", "nothing", "empty")
"""Captions of a view without any object."""

MODALITY_NAMES: Mapping[str, tuple[str, ...]] = {
    "fluorescence": ("fluorescence", "a fluorescence image", "fluorescence microscopy"),
    "brightfield": ("brightfield", "a brightfield image", "stained tissue", "histology"),
    "smear": ("a blood smear", "blood", "a stained blood smear"),
}
"""Kind of picture -> what a caption may call it."""

COLORS: Mapping[str, tuple[float, float, float]] = {
    "red": (1.0, 0.1, 0.1),
    "green": (0.1, 1.0, 0.15),
    "blue": (0.15, 0.25, 1.0),
    "cyan": (0.1, 1.0, 1.0),
    "magenta": (1.0, 0.1, 1.0),
    "yellow": (1.0, 1.0, 0.1),
    "white": (1.0, 1.0, 1.0),
}
"""Color word -> red, green and blue part of a fluorescent channel."""

DENSITIES = ("sparse", "dense")
"""Words for how much of a view a class covers."""

TEMPLATES = (
    "{}",
    "{}",
    "{}",
    "a photo of {}",
    "an image of {}",
    "a picture of {}",
    "a microscopy image of {}",
    "a micrograph of {}",
    "a fluorescence image of {}",
    "a brightfield image of {}",
    "microscopy of {}",
    "{} under the microscope",
    "there are {} here",
    "the {}",
    "stained {}",
    "labeled {}",
    "labelled {}",
)
"""Sentences around a name; the bare name counts more than any one sentence."""
