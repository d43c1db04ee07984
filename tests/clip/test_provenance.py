from __future__ import annotations

import re

import open_clip
import pytest
from open_clip.pretrained import list_pretrained

from napari_clip_heatmap.clip.provenance import HUB_MODELS, UNKNOWN, License, provenance


@pytest.mark.parametrize(
    ("name", "data", "licence"),
    [
        ("ViT-B-32/openai", "OpenAI", "MIT"),
        ("ViT-B-16/laion2b_s34b_b88k", "LAION-2B", "MIT"),
        ("ViT-B-16/laion400m_e31", "LAION-400M", "MIT"),
        ("ViT-L-14-CLIPA/datacomp1b", "DataComp-1B", "Apache-2.0"),
        ("ViT-L-14/datacomp_xl_s13b_b90k", "DataComp", "MIT"),
        ("ViT-B-16-SigLIP2/webli", "WebLI", "Apache-2.0"),
        ("ViT-B-32/metaclip_400m", "400 M", "CC-BY-NC-4.0"),
        ("MobileCLIP-B/datacompdr", "synthetic captions", "Apple AMLR"),
    ],
)
def test_well_known_models(name: str, data: str, licence: str) -> None:
    found = provenance(name)
    assert data in found.data
    assert found.licence.name == licence


def test_few_models_are_unknown_and_these_say_so() -> None:
    names = [f"{arch}/{tag}" for arch, tag in list_pretrained()]
    unknown = [name for name in names if provenance(name).licence is UNKNOWN]
    assert len(unknown) <= 0.1 * len(names)
    assert provenance("ViT-B-32/brand_new").data == "brand_new"
    assert provenance("ViT-B-32/brand_new").licence == License("see its page")


def test_models_of_the_hub_are_well_formed() -> None:
    names = [model.name for model in HUB_MODELS]
    assert len(set(names)) == len(names)
    architectures = {*open_clip.list_models(), "BiomedCLIP"}
    for model in HUB_MODELS:
        assert re.fullmatch(r"hf-hub:[\w-]+/[\w-]+", model.name)
        assert model.architecture in architectures
        assert model.provenance.note.startswith("Bio")
