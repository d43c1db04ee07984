from __future__ import annotations

import copy
from typing import Any

import pytest

import napari_clip_heatmap as nch
from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.files.methods_paragraph import REFERENCES


def test_what_was_done_is_told_and_cited(layer: Any) -> None:
    metadata, _ = layer
    paragraph, references = nch.methods_text(metadata).split("\n\n")
    assert references.count("\n") == len(REFERENCES)
    assert "\n" not in paragraph
    for words in (
        *metadata["prompts"],
        f"napari-clip-heatmap {nch.__version__}",
        metadata["model"]["weights_sha256"][:16],
        "96 x 110 pixels",
        "contrast limits, gamma and colormaps of the viewer",
        f"{metadata['similarity']:.4f} (of it {metadata['unowned']:.3f} belongs to no patch)",
        "MLPs and input belong to no patch",
        "additive contribution",
    ):
        assert words in paragraph
    assert "None" not in paragraph


@pytest.mark.parametrize(
    ("view", "words"),
    [
        ({"mode": "percentile", "low": 2}, "percentile 2 to 99.8"),
        ({"mode": "min-max"}, "smallest to its largest"),
        ({"mode": "raw", "invert": True}, "range of its data type and inverted"),
        ({"limits": [100, 4000.5]}, "with the values 100 to 4000.5 as black to white"),
    ],
)
def test_the_view_is_told(layer: Any, view: dict[str, Any], words: str) -> None:
    metadata = copy.deepcopy(layer[0])
    metadata["tiling"]["view"] |= view
    assert words in nch.methods_text(metadata)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("robust", "(values 50 to 3939 as black to white, without single defects and no-data"),
        ("percentile", "(values 50 to 3939 as black to white)"),
    ],
)
def test_a_measured_range_is_told(layer: Any, source: str, words: str) -> None:
    metadata = copy.deepcopy(layer[0])
    metadata["tiling"]["ranges"] = [{"low": 50.0, "high": 3939.0, "source": source}]
    assert words in nch.methods_text(metadata)
    metadata["tiling"]["ranges"] = [{"low": 50.0, "high": 3939.0, "source": "limits"}]
    assert "3939" not in nch.methods_text(metadata)


def test_templates_and_baseline(layer: Any) -> None:
    metadata = {**layer[0], "templates": ["{}", "a photo of {}"], "score": "contrast"}
    text = nch.methods_text({**metadata, "baseline": ["glass", "dust"]})
    assert 'as they are and put into "a photo of {}"' in text
    assert '"glass" and "dust"' in text


def test_several_channels_planes_and_tiles(layer: Any) -> None:
    metadata = copy.deepcopy(layer[0]) | {"channels": ["a", "b"], "slices": [[0], [1]]}
    text = nch.methods_text(metadata)
    assert 'its channels "a" and "b"' in text
    assert "2 planes of a stack" in text
    metadata["tiling"] |= {"tiles": [1, 1]}
    assert "fits one tile" in nch.methods_text(metadata)


def test_metadata_that_do_not_suffice(layer: Any) -> None:
    with pytest.raises(SettingsError, match="no tiling"):
        nch.methods_text({**layer[0], "tiling": {}})
