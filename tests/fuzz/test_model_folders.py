"""Folders of models with any configuration and any weights."""

from __future__ import annotations

import copy
import json
import shutil

import pytest
import torch
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from napari_clip_heatmap.clip.loading import load_model

pytestmark = pytest.mark.filterwarnings("ignore")  # what torch says of damage is no escape

TOWERS = {
    "vision_cfg": ["image_size", "patch_size", "layers", "width", "head_width"],
    "text_cfg": ["context_length", "vocab_size", "width", "heads", "layers"],
}

wild = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-2, 70)
    | st.floats()
    | st.text(max_size=5)
    | st.lists(st.integers(-1, 40), max_size=4)
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
    | st.sampled_from([10**9, 10**30, 0, -1, [8, 8], [3, 4, 6, 3], "vit_base_patch16_224"])
)
extra = [
    "ls_init_value",
    "pool_type",
    "attentional_pool",
    "output_tokens",
    "no_ln_pre",
    "mlp_ratio",
]
extra += ["timm_model_name", "timm_pool", "timm_proj", "patch_dropout", "global_average_pool"]
text = ["hf_model_name", "hf_tokenizer_name", "pool_type", "proj_type", "pad_id", "embed_cls"]
names = [
    ("embed_dim",),
    ("quick_gelu",),
    ("custom_text",),
    ("vision_cfg",),
    ("text_cfg",),
    *(("vision_cfg", key) for key in [*TOWERS["vision_cfg"], *extra]),
    *(("text_cfg", key) for key in [*TOWERS["text_cfg"], *text]),
]
changes = st.lists(st.tuples(st.sampled_from(names), wild), min_size=1, max_size=2)
fraction = st.floats(0.1, 0.9)
harmless = st.lists(
    st.one_of(
        st.tuples(st.just(("quick_gelu",)), st.booleans()),
        st.tuples(st.just(("vision_cfg", "patch_dropout")), st.floats(0, 0.9)),
        st.tuples(st.just(("vision_cfg", "output_tokens")), st.booleans()),
        st.tuples(st.just(("vision_cfg", "mlp_ratio")), st.sampled_from([4, 4.0])),
        st.tuples(st.just(("vision_cfg", "global_average_pool")), st.booleans()),
        st.tuples(st.just(("vision_cfg", "pool_type")), st.sampled_from(["tok", "avg"])),
    ),
    max_size=3,
)
"""Settings that fit the same weights, so that most of these models are loaded and used."""
normalizations = st.fixed_dictionaries(
    {},
    optional={
        "mean": st.lists(st.floats(0, 1) | wild, max_size=4) | wild,
        "std": st.lists(st.floats(0, 1) | wild, max_size=4) | wild,
    },
)


def attempt(folder):
    model = load_model(f"local-dir:{folder}", device="cpu")
    seen = model.token_map(torch.zeros(1, 3, *model.image_size, dtype=model.dtype))
    assert torch.isfinite(seen.tokens).all()
    assert torch.isfinite(torch.as_tensor(model.text.encode(["nuclei"]))).all()


@pytest.fixture
def folder(tiny_folder, tmp_path):
    return shutil.copytree(tiny_folder, tmp_path / "model")


def test_configurations(fuzz, folder):
    path = folder / "open_clip_config.json"
    whole = json.loads(path.read_text(encoding="utf-8"))

    def load(given):
        changed, normalization = given
        config = {**copy.deepcopy(whole), "preprocess_cfg": normalization}
        for (*parts, last), value in changed:
            part = config["model_cfg"]
            for name in parts:
                part = part[name] if isinstance(part, dict) and name in part else {}
            if isinstance(part, dict):
                part[last] = value
        path.write_text(json.dumps(config), encoding="utf-8")
        attempt(folder)

    usual = st.fixed_dictionaries(
        {"mean": st.lists(fraction, min_size=3, max_size=3)},
        optional={"std": st.lists(fraction, min_size=3, max_size=3)},
    )
    fuzz(st.tuples(harmless, usual) | st.tuples(changes, normalizations | usual), load)


def test_text_of_configurations(fuzz, folder):
    path = folder / "open_clip_config.json"
    whole = path.read_bytes()

    def load(content):
        path.write_bytes(content)
        attempt(folder)

    cut = st.integers(0, len(whole)).map(lambda end: whole[:end])
    nested = st.integers(1, 60_000).map(lambda depth: b"[" * depth)
    known = json.loads(whole)
    written = st.tuples(st.sampled_from([None, 0, 1, 4]), st.booleans()).map(
        lambda how: json.dumps(known, indent=how[0], sort_keys=how[1]).encode()
    )
    commented = st.dictionaries(st.text(max_size=6), st.text(max_size=6), max_size=2).map(
        lambda more: json.dumps({**more, **known}).encode()
    )
    fuzz(st.binary(max_size=40) | cut | nested | written | commented, load)


def test_weights(fuzz, folder):
    path = folder / "open_clip_model.safetensors"
    # Older safetensors map the file, which is written anew below.
    weights = {name: tensor.clone() for name, tensor in load_file(path).items()}
    values = st.sampled_from([float("nan"), float("inf"), -float("inf"), 3e38, 1e30, 0.0, 1.0])

    def load(given):
        name, kind, value, place = given
        changed = {each: tensor.clone() for each, tensor in weights.items()}
        tensor = changed[name]
        if kind == "value":
            tensor.reshape(-1)[place % tensor.numel()] = value
        elif kind == "all":
            tensor.fill_(value)
        elif kind == "missing":
            del changed[name]
        elif kind == "renamed":
            changed[f"{name}2"] = changed.pop(name)
        elif kind == "shape":
            changed[name] = torch.cat([tensor.reshape(-1)] * 2)
        elif kind == "half":
            changed[name] = tensor.half()
        elif kind == "whole":
            changed[name] = tensor.to(torch.int64)
        save_file(changed, path)
        attempt(folder)

    kinds = ["value", "value", "same", "all", "missing", "renamed", "shape", "half", "whole"]
    fuzz(
        st.tuples(
            st.sampled_from(sorted(weights)),
            st.sampled_from(kinds),
            values,
            st.integers(0, 10**6),
        ),
        load,
    )


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_bytes_of_weights(fuzz, folder, kind):
    path = folder / "open_clip_model.safetensors"
    weights = load_file(path)
    if kind == "bin":
        path.unlink()
        path = folder / "open_clip_pytorch_model.bin"
        torch.save(weights, path)
    whole = path.read_bytes()

    def load(given):
        places, end = given
        changed = bytearray(whole[:end])
        for place, value in places:
            if changed:
                changed[place % len(changed)] = value
        path.write_bytes(changed)
        attempt(folder)

    header, everywhere = st.integers(0, 5000), st.integers(0, len(whole) - 1)
    place = st.tuples(header | everywhere, st.integers(0, 255))
    ends = st.just(len(whole)) | st.integers(0, len(whole))
    fuzz(st.tuples(st.lists(place, max_size=3), ends), load)
