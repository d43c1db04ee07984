from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import open_clip
import pytest
import torch
from torch import Tensor, nn

from napari_clip_heatmap.clip.loading import load_model
from napari_clip_heatmap.errors import (
    DecompositionError,
    DeviceError,
    ModelLoadError,
    SettingsError,
    UnsupportedModelError,
)


class TestReadyModel:
    @pytest.mark.parametrize("training", [True, False])
    def test_it_is_left_as_it_was(
        self,
        make_clip: Callable[..., Any],
        state_of: Callable[[nn.Module], object],
        batch: Tensor,
        training: bool,
    ) -> None:
        clip = make_clip(patch_dropout=0.5).train(training)
        clip.visual.transformer.resblocks[1].eval()
        clip.visual.proj.requires_grad_(False)
        before = state_of(clip)
        model = load_model(clip, device="cpu")
        model.token_map(batch)
        model.decompose(batch, layers=[0])
        model.encode_text(["cell"])
        model.describe()
        assert state_of(clip) == before

    def test_it_is_left_as_it_was_after_a_failure(
        self,
        make_clip: Callable[..., Any],
        state_of: Callable[[nn.Module], object],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        clip = make_clip().train()
        monkeypatch.setattr(type(clip.visual), "forward", lambda self, x: 1 / 0)
        before = state_of(clip)
        with pytest.raises(ZeroDivisionError):
            load_model(clip, device="cpu")
        assert state_of(clip) == before

    def test_the_self_check_tells_the_size_of_the_gap(
        self, make_clip: Callable[..., Any], state_of: Callable[[nn.Module], object]
    ) -> None:
        clip = make_clip().train()
        handle = clip.visual.register_forward_hook(lambda module, inputs, output: output * 1.001)
        before = state_of(clip)
        with pytest.raises(DecompositionError, match=r"relative error is 0\.001"):
            load_model(clip, device="cpu")
        assert state_of(clip) == before
        handle.remove()

    @pytest.mark.parametrize("precision", ["fp64", "bf16"])
    def test_another_precision_is_a_copy(
        self,
        make_clip: Callable[..., Any],
        state_of: Callable[[nn.Module], object],
        batch: Tensor,
        precision: str,
    ) -> None:
        clip = make_clip()
        before = state_of(clip)
        model = load_model(clip, device="cpu", precision=precision)
        exact = load_model(clip, device="cpu").token_map(batch).tokens
        found = model.token_map(batch).tokens
        tolerance = {"fp64": 1e-5, "bf16": 3e-2}[precision]
        assert (found - exact).abs().max() <= tolerance * exact.abs().max()
        assert found.dtype == {"fp64": torch.float64, "bf16": torch.float32}[precision]
        assert state_of(clip) == before

    def test_its_own_preprocessing_and_tokenizer(self, tiny_clip: Any) -> None:
        clip = copy.deepcopy(tiny_clip)
        clip.visual.preprocess_cfg = {"mean": (0.1, 0.2, 0.3), "std": (1.0, 2.0, 3.0)}
        tokens = torch.full((1, 16), 5)
        model = load_model(clip, tokenizer=lambda texts: tokens.expand(len(texts), -1))
        assert (model.mean, model.std) == ((0.1, 0.2, 0.3), (1.0, 2.0, 3.0))
        assert torch.equal(*model.encode_text(["one", "another"]))

    def test_what_is_no_clip_is_refused(self) -> None:
        with pytest.raises(UnsupportedModelError, match="Linear"):
            load_model(nn.Linear(2, 2))


@pytest.mark.parametrize("device", ["cuda:99", "abacus", "meta"])
def test_devices_that_are_not_there(tiny_clip: Any, device: str) -> None:
    with pytest.raises(DeviceError, match=device):
        load_model(tiny_clip, device=device)


def test_precisions_that_are_not_there(tiny_clip: Any) -> None:
    with pytest.raises(DeviceError, match=r"'fp8'.*'bf16'"):
        load_model(tiny_clip, precision="fp8")


@pytest.mark.parametrize("precision", ["fp16", "bf16", "pure_fp16", "pure_bf16"])
def test_models_that_open_clip_made_in_half_precision_work(
    listed: str, precision: str, batch: Tensor
) -> None:
    """Its "fp16" and "bf16" keep some weights in single precision."""
    arch = listed.partition("/")[0]
    with torch.random.fork_rng():
        torch.manual_seed(5)
        clip = open_clip.create_model(arch, precision=precision).eval()
    before = {name: weight.dtype for name, weight in clip.named_parameters()}
    model = load_model(clip, device="cpu")
    assert {name: weight.dtype for name, weight in clip.named_parameters()} == before
    mapped = model.token_map(batch)
    assert mapped.tokens.isfinite().all()
    exact = load_model(copy.deepcopy(clip).float(), device="cpu").token_map(batch).tokens
    tolerance = 1e-5 if not precision.startswith("pure") else 5e-2
    assert (mapped.tokens - exact).abs().max() <= tolerance * exact.abs().max()
    directions = model.encode_text(["nuclei", "debris"])
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize("image_size", [0, "64", 33, (32, 32, 32), 10**9])
def test_image_sizes_that_cannot_be_are_refused(tiny_clip: Any, image_size: Any) -> None:
    with pytest.raises(SettingsError):
        load_model(tiny_clip, device="cpu", image_size=image_size)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_ready_model_with_weights_that_are_not_finite_is_refused(
    make_clip: Callable[..., Any], value: float
) -> None:
    clip = make_clip()
    with torch.no_grad():
        clip.ln_final.weight[3] = value
    with pytest.raises(ModelLoadError, match=r"the given model .*'ln_final\.weight' holds NaN"):
        load_model(clip, device="cpu")


@pytest.mark.parametrize("odd", [None, 3, ["demo"], b"demo"])
def test_other_things_than_models_are_refused(odd: Any) -> None:
    with pytest.raises(ModelLoadError, match="A model is a name"):
        load_model(odd)
