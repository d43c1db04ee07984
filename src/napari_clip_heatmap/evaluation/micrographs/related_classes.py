"""Which classes a picture may show without being labeled with them.

Nobody labels the cells in a picture of nuclei, nor the nuclei in one of white blood cells: for such
a picture "cell" is neither right nor wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["may_show"]

_MAY_SHOW: Mapping[str, str] = {
    "actin": "cell, cytoplasm, filament, tissue",
    "axon": "myelin, neurite, neuron, tissue, cell, membrane",
    "bacteria": "cell",
    "bead": "particle, spot",
    "bubble": "particle, pore, droplet",
    "cell": (
        "nucleus, cytoplasm, tissue, membrane, actin, vesicle, mitosis, glial cell, neuron, "
        "endoplasmic reticulum, golgi, embryo, debris"
    ),
    "cell wall": "plant cell, cell, membrane, tissue",
    "chloroplast": "plant cell, cell, membrane",
    "chromosome": "nucleus, cell, mitosis",
    "collagen": "fibre, filament, tissue",
    "comet": "nucleus, cell",
    "crack": "pore",
    "cytoplasm": "cell, nucleus",
    "debris": "particle, spot",
    "diatom": "pore, plankton",
    "droplet": "bubble, particle",
    "embryo": "cell, nucleus, tissue, membrane",
    "endoplasmic reticulum": "cell, cytoplasm, nuclear envelope, nucleus, membrane",
    "fibre": "collagen, filament",
    "filament": "cell, fibre",
    "glial cell": "cell, neurite",
    "golgi": "cell, vesicle, cytoplasm",
    "grain": "metal, precipitate",
    "leaf vein": "plant cell, tissue, cell wall",
    "melt pool": "metal, grain",
    "membrane": "cell, cell wall, tissue, neuron, mitochondria, vesicle",
    "metal": "grain, pore",
    "microtubule": "cell, filament, cytoplasm",
    "mitochondria": "cell, membrane, cytoplasm",
    "mitosis": "nucleus, cell, chromosome",
    "myelin": "axon, tissue, membrane",
    "neurite": "neuron, cell, axon",
    "neuron": "cell, neurite, nucleus, tissue, axon, membrane",
    "nuclear envelope": "nucleus, cell, membrane",
    "nucleus": "cell, cytoplasm, tissue, chromosome, mitosis, embryo, nuclear envelope",
    "oxide layer": "pore, crack, metal",
    "particle": "bead, spot, bubble, debris",
    "plankton": "cell, diatom",
    "plant cell": "cell, cell wall, tissue, membrane, nucleus, chloroplast, leaf vein, stomata",
    "platelet": "cell, red blood cell, white blood cell",
    "precipitate": "grain, metal",
    "red blood cell": "cell, platelet, white blood cell",
    "spot": "vesicle, cell, nucleus, particle, bead",
    "stomata": "plant cell, cell, cell wall, tissue",
    "tissue": "cell, nucleus",
    "vesicle": "spot, cell, cytoplasm",
    "white blood cell": "cell, nucleus, red blood cell, platelet",
    "worm": "tissue, embryo, cell",
    "yeast": "cell",
    "zebrafish": "tissue, cell, embryo",
}


def may_show(classes: Iterable[str]) -> frozenset[str]:
    """Return the classes that a picture labeled with ``classes`` may show besides them.

    Examples
    --------
    >>> sorted(may_show(["bacteria", "bead"]))
    ['cell', 'particle', 'spot']
    """
    shown = tuple(classes)
    related = {name for each in shown for name in _MAY_SHOW.get(each, "").split(", ")}
    return frozenset(related - {"", *shown})
