from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from importlib.resources import files
from pathlib import Path

import open_clip
import pytest
from open_clip.pretrained import list_pretrained

import napari_clip_heatmap as nch
from napari_clip_heatmap.clip import catalog as catalogue
from napari_clip_heatmap.clip.catalog import (
    TABLE_NAME,
    architecture_of,
    format_table,
    list_catalog,
    read_architecture,
    shipped_speed,
)
from napari_clip_heatmap.clip.provenance import BUNDLED, HUB_MODELS, UNKNOWN, provenance

ENTRIES = {entry.name: entry for entry in list_catalog()}


def test_every_name_is_once_and_can_be_loaded_by() -> None:
    names = [entry.name for entry in list_catalog()]
    assert len(names) == len(set(names)) > 60
    listed = {f"{arch}/{tag}" for arch, tag in list_pretrained()}
    hub = {model.name for model in HUB_MODELS}
    assert set(names) <= listed | hub | set(BUNDLED)
    assert {*BUNDLED, "ViT-B-16/laion2b_s34b_b88k", "hf-hub:vinid/plip"} <= set(names)


def test_nothing_that_is_refused_is_offered() -> None:
    offered = {name.partition("/")[0] for name in ENTRIES if "/" in name and ":" not in name}
    assert all(architecture_of(arch) for arch in offered)
    assert {"ViT-B-16-SigLIP2", "MobileCLIP2-S0", "convnext_large_d"} <= offered


def test_shipped_speeds_are_plausible() -> None:
    """Those of most released models were measured with benchmarks/speeds.py."""
    found = {name: entry.seconds_per_megapixel for name, entry in ENTRIES.items()}
    speeds = {name: speed for name, speed in found.items() if speed is not None}
    assert len(speeds) > len(ENTRIES) / 2
    assert all(0.01 < speed < 10_000 for speed in speeds.values())
    assert speeds["demo"] < speeds["ViT-B-16/openai"] < speeds["ViT-L-14/openai"]
    assert speeds["MobileCLIP2-S0/dfndr2b"] < speeds["ViT-B-16/openai"]
    assert shipped_speed("no such architecture") is None


def test_what_cannot_be_decomposed_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"ViT-B-32": None}  # as read_architecture says of what is refused
    monkeypatch.setattr("napari_clip_heatmap.clip.catalog._table", lambda: table)
    monkeypatch.setattr(
        "napari_clip_heatmap.clip.catalog.list_pretrained", lambda: [("ViT-B-32", "openai")]
    )
    assert [entry.name for entry in list_catalog() if entry.name.startswith("ViT")] == []


@pytest.mark.parametrize(
    "name",
    [
        *("demo", "micrographs", "BiomedCLIP", "RN50", "convnext_base", "coca_ViT-B-32"),
        *("ViT-B-32", "ViT-L-14", "ViT-L-14-CLIPA", "ViT-H-14-worldwide"),
        *("xlm-roberta-base-ViT-B-32", "ViT-B-16-SigLIP", "PE-Core-T-16-384", "EVA02-B-16"),
        *("MobileCLIP-B", "MobileCLIP-S1"),
    ],
)
def test_the_table_is_what_building_yields(name: str) -> None:
    """If not, run docs/make_architectures.py."""
    text = (files("napari_clip_heatmap.clip") / TABLE_NAME).read_text(encoding="utf-8")
    assert json.loads(json.dumps(format_table(read_architecture(name)))) == json.loads(text)[name]


def test_a_tag_of_what_this_open_clip_cannot_build_is_not_offered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(open_clip.factory._MODEL_CONFIGS, "ViT-B-32")
    names = {entry.name for entry in list_catalog()}
    assert not any(name.startswith("ViT-B-32/") for name in names)
    assert "ViT-B-16/openai" in names


def test_an_architecture_that_the_table_lacks_is_built(listed: str) -> None:
    found = architecture_of("ViT-tiny")
    assert found is not None
    assert (found.image_size, found.patch_size) == ((32, 32), (8, 8))
    assert architecture_of("nothing") is None


def test_sizes() -> None:
    entry = ENTRIES["ViT-B-16/openai"]
    assert entry.parameters == 149_620_737
    assert entry.download_bytes == 4 * entry.parameters
    assert ENTRIES["demo"].download_bytes == 0
    assert entry.image_size == (224, 224)
    assert entry.grid == (14, 14)


@pytest.mark.parametrize(
    ("name", "data", "forbids"),
    [
        ("ViT-B-16/openai", "OpenAI", ""),
        ("ViT-B-16/laion2b_s34b_b88k", "LAION-2B", ""),
        ("ViT-L-14/datacomp_xl_s13b_b90k", "DataComp", ""),
        ("ViT-H-14/metaclip_fullcc", "MetaCLIP", "commercial use"),
        ("ViT-H-14/dfn5b", "DFN-5B", "every use but scientific research"),
        ("ViT-H-14-worldwide/metaclip2_worldwide", "MetaCLIP 2", "commercial use"),
    ],
)
def test_training_data_and_licences(name: str, data: str, forbids: str) -> None:
    assert ENTRIES[name].data.startswith(data)
    assert ENTRIES[name].forbids == forbids


def test_every_listed_model_has_training_data() -> None:
    unknown = {
        f"{arch}/{tag}"
        for arch, tag in list_pretrained()
        if provenance(f"{arch}/{tag}").licence is UNKNOWN
        # No license of ViTamin could be found.
        and not arch.startswith("ViTamin")
    }
    assert unknown == set(), "a newer open_clip lists models of which nothing is known here"
    assert provenance("ViT-X/brand_new").data == "brand_new"


def test_biomedical_models_say_what_they_know() -> None:
    notes = {entry.name: entry.note for entry in ENTRIES.values() if "iomed" in entry.note}
    assert "hf-hub:wisdomik/QuiltNet-B-32" in notes
    assert all("not for use in the clinic" in note for note in notes.values())


@pytest.mark.parametrize("search", ["QUILT histopathology", "pathology quiltnet", "Quilt-1M"])
def test_all_words_are_looked_for_everywhere(search: str) -> None:
    found = [entry.name for entry in list_catalog(search)]
    assert "hf-hub:wisdomik/QuiltNet-B-32" in found
    assert all("QuiltNet" in name for name in found)
    assert list_catalog(search + " giraffe") == ()


def test_what_is_on_this_machine(
    listed: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CLIP_HEATMAP_MODELS", str(tmp_path))
    monkeypatch.setattr(catalogue, "list_pretrained", lambda: [("ViT-tiny", "released")])
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    here = {entry.name: entry.here for entry in list_catalog()}
    assert here["demo"]
    assert here["micrographs"]
    assert not here[listed]
    (tmp_path / listed).mkdir(parents=True)
    (tmp_path / listed / "open_clip_model.safetensors").touch()
    assert {entry.name for entry in list_catalog() if entry.here} == {*BUNDLED, listed}


def test_the_public_door_gives_frozen_records() -> None:
    entry, second = nch.list_models("bundled")
    assert (entry.name, second.name) == tuple(BUNDLED)
    with pytest.raises(FrozenInstanceError):
        entry.name = "other"  # type: ignore[misc]
