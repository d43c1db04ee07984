"""Configurations that nobody can build are refused at once, whatever they claim."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any

import open_clip
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_clip_heatmap.clip.loading import load_model
from napari_clip_heatmap.clip.sources.build import refuse_unsupported
from napari_clip_heatmap.clip.sources.limits import require_config_limits, require_image_size
from napari_clip_heatmap.errors import ClipHeatmapError, ModelLoadError, SettingsError

VALID: dict[str, Any] = {
    "embed_dim": 24,
    "vision_cfg": {
        "image_size": 32,
        "patch_size": 8,
        "layers": 3,
        "width": 32,
        "head_width": 8,
        "mlp_ratio": 4.0,
    },
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2},
}


def changed(path: str, value: object) -> dict[str, Any]:
    config = copy.deepcopy(VALID)
    *parts, last = path.split(".")
    part = config
    for name in parts:
        part = part[name]
    part[last] = value
    return config


@pytest.mark.parametrize("name", open_clip.list_models())
def test_every_released_architecture_is_within_the_limits(name: str) -> None:
    require_config_limits(open_clip.get_model_config(name), origin=name)


ABSURD = [
    ("embed_dim", 10**9),
    ("embed_dim", 0),
    ("embed_dim", "512"),
    ("vision_cfg", [1, 2]),
    ("vision_cfg", "ViT"),
    ("vision_cfg", None),
    ("text_cfg", None),
    ("vision_cfg.layers", 10**6),
    ("vision_cfg.layers", -1),
    ("vision_cfg.layers", 2.5),
    ("vision_cfg.layers", [1, 2]),
    ("vision_cfg.layers", [1, 2, 10**6, 1]),
    ("vision_cfg.width", 10**9),
    ("vision_cfg.width", None),
    ("vision_cfg.width", True),
    ("vision_cfg.head_width", 0),
    ("vision_cfg.head_width", 5),
    ("vision_cfg.head_width", 64),
    ("vision_cfg.mlp_ratio", 0),
    ("vision_cfg.mlp_ratio", float("nan")),
    ("vision_cfg.mlp_ratio", 10**9),
    ("vision_cfg.mlp_ratio", 0.01),
    ("vision_cfg.patch_size", 0),
    ("vision_cfg.patch_size", 64),
    ("vision_cfg.patch_size", [8]),
    ("vision_cfg.image_size", 10**9),
    ("vision_cfg.image_size", [32, 0]),
    ("vision_cfg.image_size", {"height": 32}),
    ("vision_cfg.timm_model_name", 3),
    ("text_cfg.heads", 0),
    ("text_cfg.heads", 3),
    ("text_cfg.layers", 10**7),
    ("text_cfg.vocab_size", 10**12),
    ("text_cfg.context_length", 0),
    ("text_cfg.tokenizer_kwargs", ["clean"]),
]


@pytest.mark.parametrize(("path", "value"), ABSURD)
def test_absurd_values_are_refused_with_their_name(path: str, value: object) -> None:
    started = time.monotonic()
    with pytest.raises(ModelLoadError) as caught:
        refuse_unsupported(changed(path, value), origin="config.json")
    message = str(caught.value)
    assert message.startswith("config.json does not describe a model")
    assert path.rpartition(".")[2] in message
    assert len(message) <= 500
    assert time.monotonic() - started < 10


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.sampled_from([0, 1, 2, 3, 8, 16, 32, 33]),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(-1, 40), max_size=4),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
KEYS = [f"{part}.{key}" for part in ("vision_cfg", "text_cfg") for key in VALID[part]]


@settings(max_examples=300)
@given(
    values=st.dictionaries(st.sampled_from([*KEYS, "embed_dim"]), SCALARS, min_size=1, max_size=3)
)
def test_whatever_is_written_is_built_or_refused(values: dict[str, object]) -> None:
    config = copy.deepcopy(VALID)
    for path, value in values.items():
        part, _, key = path.rpartition(".")
        (config[part] if part else config)[key] = value
    message, tower = "", None
    try:
        tower = refuse_unsupported(config, origin="x")
    except ClipHeatmapError as error:
        message = str(error)
    assert len(message) <= 500
    if tower is not None:
        assert min(tower.grid) >= 1
        if isinstance(config["vision_cfg"]["layers"], int):  # a list of them makes a ResNet
            assert tower.n_heads * config["vision_cfg"]["head_width"] == tower.d_model


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("vision_config", "num_attention_heads", 5),
        ("vision_config", "num_hidden_layers", 10**6),
        ("vision_config", "hidden_size", 10**9),
        ("text_config", "num_attention_heads", 10**9),
        ("text_config", "vocab_size", True),
        ("text_config", "num_hidden_layers", 0),
    ],
)
def test_configurations_of_transformers_have_the_same_limits(
    transformers_folder: Path, part: str, key: str, value: object
) -> None:
    path = transformers_folder / "config.json"
    config = json.loads(path.read_text())
    config[part][key] = value
    path.write_text(json.dumps(config))
    with pytest.raises(ModelLoadError, match=r"config\.json does not describe a"):
        load_model(f"local-dir:{transformers_folder}", device="cpu")


@pytest.mark.parametrize(
    ("size", "expected"), [(64, (64, 64)), ((32, 64), (32, 64)), ([32, 64], (32, 64))]
)
def test_image_sizes(size: object, expected: tuple[int, int]) -> None:
    assert require_image_size(size) == expected


@pytest.mark.parametrize("size", [10**9, (32, 10**9), "64", True, None, {}, float("nan"), ["a"]])
def test_other_image_sizes_are_refused(size: object) -> None:
    with pytest.raises(SettingsError, match=r"image_size is .*up to 8192"):
        require_image_size(size)
