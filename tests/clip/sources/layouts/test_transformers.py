"""What all layouts of the transformers library have in common."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.clip.sources.layouts import convert_weights, open_clip_config
from napari_clip_heatmap.clip.sources.layouts._transformers import (
    BlockNames,
    convert_blocks,
    mlp_ratio,
    read_part,
)
from napari_clip_heatmap.errors import ModelLoadError, UnsupportedModelError

TOWERS = {
    "text": BlockNames("words", "joint_", {"mlp.fc1": "first"}),
    "vision": BlockNames("image.blocks", "qkv.", {}),
}


def test_blocks_are_renamed_and_their_projections_stacked() -> None:
    home = "text_model.encoder.layers.3"
    weights = {
        f"{home}.self_attn.{part}_proj.weight": torch.full((2, 2), i)
        for i, part in enumerate("vkq")
    }
    weights |= {
        f"{home}.mlp.fc1.bias": torch.ones(4),
        "vision_model.encoder.layers.0.norm.weight": torch.zeros(1),
        "text_model.embeddings.position_ids": torch.arange(3),
        "logit_scale": torch.tensor(1.0),
    }
    converted, rest = convert_blocks(weights, TOWERS)
    assert set(converted) == {
        "words.3.joint_weight",
        "words.3.first.bias",
        "image.blocks.0.norm.weight",
    }
    assert converted["words.3.joint_weight"][:, 0].tolist() == [2, 2, 1, 1, 0, 0]  # q, k, v
    assert set(rest) == {"logit_scale"}


@pytest.mark.parametrize("shapes", [{"q": 2, "k": 2}, {"q": 2, "k": 2, "v": 3}])
def test_projections_that_do_not_fit_one_another(shapes: dict[str, int]) -> None:
    home = "vision_model.encoder.layers.0.self_attn"
    weights = {f"{home}.{part}_proj.bias": torch.zeros(n) for part, n in shapes.items()}
    with pytest.raises(ModelLoadError, match=r"'image\.blocks\.0\.qkv\.bias' are not all there"):
        convert_blocks(weights, TOWERS)


@given(width=st.integers(1, 5000), hidden=st.integers(1, 20000))
def test_the_mlp_has_the_width_that_is_written(width: int, hidden: int) -> None:
    ratio = mlp_ratio({"hidden_size": width, "intermediate_size": hidden})
    assert int(width * ratio) == hidden  # as open_clip and timm take it


def test_defaults_are_filled_in_and_the_older_entry_wins() -> None:
    defaults = {"size": 4, "act": "gelu"}
    assert read_part({}, "text", defaults, "x") == defaults
    found = read_part({"text": {"size": 9}, "text_dict": {"act": "relu"}}, "text", defaults, "x")
    assert found == {"size": 4, "act": "relu"}


@pytest.mark.parametrize("part", [3, {"size": 0}, {"size": "4"}, {"size": -1}])
def test_what_is_no_setting_is_refused(part: Any) -> None:
    with pytest.raises(ModelLoadError, match="file does not describe a CLIP"):
        read_part({"text": part}, "text", {"size": 4}, "file")


def test_a_type_that_no_layout_knows() -> None:
    with pytest.raises(
        UnsupportedModelError, match=r"type 'altclip'.*'clip', 'metaclip_2', 'siglip'"
    ):
        open_clip_config({"model_type": "altclip"}, origin="config.json")


def test_open_clip_s_own_names_are_kept() -> None:
    weights = {"visual.proj": torch.zeros(2, 2)}
    assert convert_weights(weights) is weights
