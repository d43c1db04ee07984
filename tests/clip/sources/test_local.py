"""One file of weights, with and without being told what belongs to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from napari_clip_heatmap.clip.loading import load_model
from napari_clip_heatmap.clip.model import ClipModel
from napari_clip_heatmap.clip.sources.build import infer_config, matching_architectures
from napari_clip_heatmap.clip.sources.local import architectures_alike
from napari_clip_heatmap.errors import ModelLoadError, UnsupportedModelError

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)


def write(model: nn.Module, path: Path) -> Path:
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    if path.suffix == ".safetensors":
        save_file(weights, path)
    else:
        torch.save({"state_dict": {f"module.{name}": each for name, each in weights.items()}}, path)
    return path


@pytest.mark.parametrize("ending", ["safetensors", "bin", "pt", "pth"])
def test_weights_like_those_of_a_released_model(
    tiny_clip: nn.Module,
    tiny_model: ClipModel,
    batch: Tensor,
    listed: str,
    tmp_path: Path,
    ending: str,
) -> None:
    path = write(tiny_clip, tmp_path / f"me@lab.{ending}")
    model = load_model(f"{listed}@{path}", device="cpu")
    assert model.name == f"{listed}@{path}"
    assert (model.mean, model.std) == ((0.1,) * 3, (0.2,) * 3)
    assert model.weights_sha256 == tiny_model.weights_sha256
    assert torch.equal(model.token_map(batch).tokens, tiny_model.token_map(batch).tokens)
    assert torch.equal(model.encode_text(["cell"]), tiny_model.encode_text(["cell"]))


@pytest.mark.parametrize("prefix", ["", "local-dir:"])
def test_what_belongs_to_weights_is_asked_for_not_guessed(
    tiny_clip: nn.Module, listed: str, tmp_path: Path, prefix: str
) -> None:
    path = write(tiny_clip, tmp_path / "w.pt")
    assert architectures_alike(path) == ("ViT-tiny",)
    with pytest.raises(ModelLoadError, match=rf"shapes they are of ViT-tiny\..*'{listed}@.*w\.pt'"):
        load_model(f"{prefix}{path}")
    with pytest.raises(ModelLoadError, match=rf"'{listed}@.*w\.pt'.*--preprocess"):
        load_model(f"ViT-tiny@{path}")
    model = load_model(f"ViT-tiny@{path}", device="cpu", preprocess="half")
    assert model.mean == (0.5,) * 3


def test_weights_of_no_known_shape(tmp_path: Path, make_clip: Callable[..., Any]) -> None:
    path = write(make_clip(width=64), tmp_path / "w.pt")
    assert architectures_alike(path) == ()
    with pytest.raises(ModelLoadError, match=r"'ARCH/TAG@.*w\.pt'"):
        load_model(str(path))
    write(nn.Linear(2, 2), path)
    with pytest.raises(ModelLoadError, match=r"'ARCH/TAG@.*w\.pt'"):
        load_model(str(path))


def test_weights_of_another_shape_or_name(
    make_clip: Callable[..., Any], listed: str, tmp_path: Path
) -> None:
    path = write(make_clip(width=64), tmp_path / "w.safetensors")
    with pytest.raises(
        ModelLoadError, match=r"w\.safetensors do not fit.*\d+ of another shape \(visual"
    ):
        load_model(f"{listed}@{path}")
    write(nn.Linear(2, 2), path)
    with pytest.raises(ModelLoadError, match=r"do not fit.* missing .*2 unknown \(bias, weight\)"):
        load_model(f"{listed}@{path}")


def test_names_that_are_no_file(listed: str, tmp_path: Path) -> None:
    for name in (f"{tmp_path}/none.pt", f"{listed}@{tmp_path}/none.bin"):
        with pytest.raises(ModelLoadError, match=r"no file of weights .*none"):
            load_model(name)
    (tmp_path / "w.pt").touch()
    with pytest.raises(ModelLoadError, match=r"w\.pt cannot be read"):
        load_model(f"{listed}@{tmp_path / 'w.pt'}")


class _Archived(nn.Module):
    """A CLIP the way OpenAI archived it: with three numbers among its weights."""

    def __init__(self, clip: Any) -> None:
        super().__init__()
        for name, child in clip.named_children():
            setattr(self, name, child)
        for name in ("positional_embedding", "text_projection", "logit_scale"):
            self.register_parameter(name, getattr(clip, name))
        for name, size in (("input_resolution", 32), ("context_length", 16), ("vocab_size", 49408)):
            self.register_buffer(name, torch.tensor(size))

    def forward(self, image: Tensor) -> Tensor:
        return image * self.logit_scale  # any program will do: it is not run


@pytest.mark.filterwarnings("ignore:.torch.jit")
def test_an_archive_of_openai_is_known(tmp_path: Path, batch: Tensor) -> None:
    config = {
        "embed_dim": 24,
        "vision_cfg": {"image_size": 32, "patch_size": 8, "layers": 2, "width": 64},
        "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 64, "layers": 1},
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        clip = open_clip.CLIP(**config, quick_gelu=True).eval()
    with torch.no_grad():
        torch.jit.trace(_Archived(clip), batch[:1]).save(str(tmp_path / "ViT-tiny.pt"))
        expected = clip.encode_image(batch)
    assert architectures_alike(tmp_path / "ViT-tiny.pt") is None
    model = load_model(str(tmp_path / "ViT-tiny.pt"), device="cpu")
    assert model.mean == OPENAI_MEAN
    torch.testing.assert_close(model.token_map(batch).representation, expected)


def test_a_resnet_of_openai_is_recognised(tmp_path: Path) -> None:
    vision = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "patch_size": None}
    text = {"context_length": 8, "vocab_size": 64, "width": 64, "heads": 1, "layers": 1}
    config = {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text}
    assert infer_config(open_clip.CLIP(**config).state_dict()) == config


@pytest.mark.parametrize("arch", ["ViT-B-16", "ViT-L-14-336", "ViT-H-14", "RN50x4"])
def test_shapes_tell_the_architecture(arch: str) -> None:
    with torch.device("meta"):
        clip = open_clip.CLIP(**open_clip.get_model_config(arch))
    inferred = infer_config(clip.state_dict())
    assert inferred is not None
    assert set(matching_architectures(inferred)) >= {arch}
    assert all(name.removesuffix("-quickgelu") == arch for name in matching_architectures(inferred))


def test_towers_that_cannot_be_decomposed_are_told(
    tmp_path: Path, make_clip: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise UnsupportedModelError("No exact decomposition")

    monkeypatch.setattr("napari_clip_heatmap.clip.sources.local.refuse_unsupported", refuse)
    path = write(make_clip(), tmp_path / "w.pt")
    with pytest.raises(UnsupportedModelError, match="No exact"):
        load_model(f"ViT-B-32/openai@{path}")
