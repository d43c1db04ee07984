"""Training data and license of released models, as stated by their authors.

open_clip's list contains neither. The authors' own page is authoritative.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["BUNDLED", "HUB_MODELS", "HubModel", "License", "Provenance", "provenance"]


@dataclass(frozen=True)
class License:
    """Name of a license, and what it forbids; empty if it forbids no use."""

    name: str
    forbids: str = ""


MIT = License("MIT")
APACHE = License("Apache-2.0")
NON_COMMERCIAL = License("CC-BY-NC-4.0", "commercial use")
APPLE = License("Apple AMLR", "every use but scientific research")
BSD = License("BSD-3-Clause")
NOT_STATED = License("no license stated, ask its authors")
UNKNOWN = License("see its page")


@dataclass(frozen=True)
class Provenance:
    """Training data, license and further information."""

    data: str
    licence: License
    note: str = ""


BUNDLED: Mapping[str, Provenance] = {
    "demo": Provenance("drawn microscopy scenes", BSD, "Bundled: a first look, no download."),
    "micrographs": Provenance(
        "drawn scenes and 1,047 open micrographs",
        BSD,
        "Bundled: names 52 classes of real micrographs, and places them less well than demo.",
    ),
}
"""Name of a bundled model, which is that of its folder in the package -> where it comes from."""


@dataclass(frozen=True)
class HubModel:
    """A model that is not in open_clip's list but useful for microscopy.

    Parameters
    ----------
    name : str
        "hf-hub:ORG/NAME".
    architecture : str
        Name of its entry in the table of architectures.
    provenance : Provenance
    """

    name: str
    architecture: str
    provenance: Provenance


# The first pattern that matches "ARCH/TAG" is used.
_RULES: tuple[tuple[str, Provenance], ...] = (
    (r"/openai$", Provenance("OpenAI's 400 M pairs from the web, not public", MIT)),
    (r"^nllb", Provenance("LAION-COCO captions in 201 languages", NON_COMMERCIAL)),
    (r"CLIPA.*/datacomp1b", Provenance("DataComp-1B", APACHE)),
    (r"CLIPA.*/laion2b", Provenance("LAION-2B", APACHE)),
    (r"/datacomp1b", Provenance("DataComp-1B", MIT)),
    (r"/datacompdr", Provenance("DataComp-1B with synthetic captions", APPLE)),
    (r"/dfndr2b", Provenance("DFN-2B with synthetic captions", APPLE)),
    (r"/dfn2b", Provenance("DFN-2B, filtered web pairs", APPLE)),
    (r"/dfn5b", Provenance("DFN-5B, filtered web pairs", APPLE)),
    (r"/metaclip2", Provenance("MetaCLIP 2, web pairs in many languages", NON_COMMERCIAL)),
    (r"/metaclip_400m", Provenance("MetaCLIP, 400 M web pairs", NON_COMMERCIAL)),
    (r"/metaclip", Provenance("MetaCLIP, 2.5 B web pairs", NON_COMMERCIAL)),
    (r"/merged2b", Provenance("LAION-2B and COYO-700M", MIT)),
    (r"/webli", Provenance("WebLI, web pairs in many languages", APACHE)),
    (r"^PE-Core.*/meta", Provenance("Meta's web images and videos", APACHE)),
    (r"/yfcc15m", Provenance("YFCC-15M, photographs from Flickr", MIT)),
    (r"/cc12m", Provenance("Conceptual 12M", MIT)),
    (r"/mscoco_finetuned", Provenance("LAION-2B, then MS-COCO", MIT)),
    (r"/(frozen_)?laion5b", Provenance("LAION-5B", MIT)),
    (r"/laion2b", Provenance("LAION-2B", MIT)),
    (r"/laion_aesthetic", Provenance("LAION-Aesthetic", MIT)),
    (r"/laion400m", Provenance("LAION-400M", MIT)),
    (r"/datacomp_x?l", Provenance("DataComp, large pools", MIT)),
    (r"/datacomp_s34b", Provenance("DataComp-1B", MIT)),
    (r"/(datacomp|commonpool)_[ms]_", Provenance("DataComp, small pools for study", MIT)),
    (r"/commonpool", Provenance("CommonPool, little filtered", MIT)),
)

_RESEARCH = "Its authors mean it for research, not for use in the clinic."

HUB_MODELS = (
    HubModel(
        "hf-hub:microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224",
        "BiomedCLIP",
        Provenance(
            "PMC-15M, figures and captions of biomedical articles",
            MIT,
            f"Biomedical: figures of articles, many kinds of microscopy among them. {_RESEARCH}",
        ),
    ),
    HubModel(
        "hf-hub:wisdomik/QuiltNet-B-32",
        "ViT-B-32",
        Provenance(
            "Quilt-1M, histopathology from teaching videos",
            MIT,
            f"Biomedical: stained tissue sections and pathologists' words. {_RESEARCH}",
        ),
    ),
    HubModel(
        "hf-hub:wisdomik/QuiltNet-B-16",
        "ViT-B-16",
        Provenance(
            "Quilt-1M, histopathology from teaching videos",
            MIT,
            f"Biomedical: stained tissue sections and pathologists' words. {_RESEARCH}",
        ),
    ),
    HubModel(
        "hf-hub:wisdomik/QuiltNet-B-16-PMB",
        "BiomedCLIP",
        Provenance(
            "Quilt-1M, histopathology from teaching videos",
            MIT,
            f"Biomedical: stained tissue sections, with PubMedBERT for the words. {_RESEARCH}",
        ),
    ),
    HubModel(
        "hf-hub:vinid/plip",
        "ViT-B-32",
        Provenance(
            "OpenPath, pathology images from Twitter",
            NOT_STATED,
            f"Biomedical: OpenAI's ViT-B-32 trained on with pathologists' posts. {_RESEARCH}",
        ),
    ),
    HubModel(
        "hf-hub:flaviagiammarino/pubmed-clip-vit-base-patch32",
        "ViT-B-32",
        Provenance(
            "ROCO, radiology figures of PubMed Central",
            MIT,
            f"Biomedical: OpenAI's ViT-B-32 trained on with X-ray, CT, MRI and more. {_RESEARCH}",
        ),
    ),
    HubModel(
        "hf-hub:imageomics/bioclip",
        "ViT-B-16",
        Provenance(
            "TreeOfLife-10M, photographs of organisms with their taxonomy",
            MIT,
            "Biology: animals, plants and fungi by their names, not cells.",
        ),
    ),
    HubModel(
        "hf-hub:imageomics/bioclip-2",
        "ViT-L-14",
        Provenance(
            "TreeOfLife-200M, photographs of organisms with their taxonomy",
            MIT,
            "Biology: animals, plants and fungi by their names, not cells.",
        ),
    ),
)
"""Models of the hub that are listed in addition to open_clip's."""


def provenance(name: str) -> Provenance:
    """Return the provenance of "ARCH/TAG"; if unknown, the tag as data and no license."""
    for pattern, known in _RULES:
        if re.search(pattern, name):
            return known
    return Provenance(name.partition("/")[2], UNKNOWN)
