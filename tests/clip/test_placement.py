"""No GPU is needed: a fake one has the CPU's memory and injected faults."""

from __future__ import annotations

import copy
import gc
import logging
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from napari_clip_heatmap.clip import loading
from napari_clip_heatmap.clip import placement as placing
from napari_clip_heatmap.clip.loading import load_model
from napari_clip_heatmap.clip.model import ClipModel
from napari_clip_heatmap.clip.placement import Placement
from napari_clip_heatmap.clip.weights import log_once
from napari_clip_heatmap.errors import DecompositionError, DeviceError, ModelLoadError

CARD, CPU = torch.device("cuda:0"), torch.device("cpu")
HALF = torch.float16

move_for_real = placing.move_module


class Card:
    """A fake cuda:0, and what it does to models that are moved to it."""

    def __init__(self) -> None:
        self.tried: list[torch.dtype | None] = []
        self.spoil: Callable[[Any], object] = lambda module: None

    def move(self, loaded: Any, placement: Placement) -> Any:
        if placement.device == CPU:
            return move_for_real(loaded, placement)
        self.tried.append(placement.dtype)
        module = copy.deepcopy(move_for_real(loaded, Placement(CPU, placement.dtype)))
        self.spoil(module)
        return module


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    card = Card()
    monkeypatch.setattr(placing, "move_module", card.move)
    monkeypatch.setattr(placing, "fast_types", lambda device: (HALF,) if device == CARD else ())
    monkeypatch.setattr(loading, "choose_device", lambda name: CPU if name == "cpu" else CARD)
    log_once.cache_clear()
    return card


@pytest.fixture
def every_model_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "LARGE", 1)


@pytest.fixture
def named(tiny_folder: Path) -> str:
    return f"local-dir:{tiny_folder}"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.WARNING, "napari_clip_heatmap")
    return lambda: [record.getMessage() for record in caplog.records]


def miscalculate(module: Any) -> None:
    """Change weights of a moved model: as exact as before, with other numbers."""
    with torch.no_grad():
        module.visual.transformer.resblocks[1].mlp.c_fc.weight.mul_(1.5)


def fail(error: Exception) -> Callable[[Any], None]:
    def spoil(module: Any) -> None:
        raise error

    return spoil


def fail_in_half(module: nn.Module) -> None:
    if next(module.visual.parameters()).dtype == HALF:  # type: ignore[union-attr]
        miscalculate(module)


def test_a_card_that_agrees_with_the_cpu_is_used(
    card: Card, named: str, log: Callable[[], list[str]]
) -> None:
    model = load_model(named, device="cuda")
    assert card.tried == [None]
    assert not [*model.notices, *log()]


@pytest.mark.parametrize("ready", [True, False])
def test_a_card_that_disagrees_is_not(
    card: Card,
    named: str,
    tiny_clip: nn.Module,
    batch: Tensor,
    log: Callable[[], list[str]],
    ready: bool,
) -> None:
    given = tiny_clip if ready else named
    expected = load_model(given, device="cpu").token_map(batch).tokens
    card.spoil = miscalculate
    model = load_model(given, device="cuda")
    assert card.tried == [None]
    assert torch.equal(model.token_map(batch).tokens, expected)
    (notice,) = model.notices
    assert "The CPU is used instead of cuda:0: its maps of a probe image differ" in notice
    load_model(given, device="cuda")
    assert log() == [notice]  # logged once


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), "ran out of memory"),
        (RuntimeError("CUDA error: no kernel image is available"), "no kernel image"),
        (NotImplementedError("'aten::x' is not implemented for MPS"), "not implemented"),
        (TypeError("Cannot convert a MPS Tensor to float64 dtype"), "float64"),
    ],
)
def test_a_card_that_cannot_hold_or_run_the_model_is_not_used(
    card: Card, named: str, error: Exception, words: str
) -> None:
    card.spoil = fail(error)
    model = load_model(named, device="cuda", precision="fp32")
    assert model.device == CPU
    (notice,) = model.notices
    assert words in notice


def test_a_model_that_runs_nowhere_is_an_error(
    card: Card, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "probe", lambda *_: fail(RuntimeError("no memory at all"))(None))
    with pytest.raises(DeviceError, match=r"cannot run on cpu: it failed.*no memory at all"):
        load_model(named, device="cuda")


def test_an_inexact_model_is_an_error_before_any_card_is_tried(
    card: Card, make_clip: Callable[..., Any]
) -> None:
    clip = make_clip()
    handle = clip.visual.register_forward_hook(lambda module, inputs, output: output * 1.001)
    with pytest.raises(DecompositionError, match=r"relative error is 0\.001"):
        load_model(clip, device="cuda")
    assert not card.tried
    handle.remove()


@pytest.mark.usefixtures("every_model_is_large")
class TestPrecision:
    def test_half_is_chosen_if_the_device_is_fast_in_it(
        self, card: Card, named: str, batch: Tensor
    ) -> None:
        exact = load_model(named, device="cpu")
        model = load_model(named, device="cuda")
        assert (card.tried, model.dtype) == ([HALF], HALF)
        assert exact.dtype == torch.float32  # this CPU counts as one that is not
        assert not list(model.notices)
        found, expected = (each.token_map(batch).tokens for each in (model, exact))
        assert (found - expected).abs().max() < 1e-2 * (expected.max() - expected.min())
        assert model.weights_sha256 == exact.weights_sha256
        assert torch.equal(model.encode_text(["cell"]), exact.encode_text(["cell"]))

    def test_half_that_changes_the_maps_is_not_chosen(self, card: Card, named: str) -> None:
        card.spoil = fail_in_half
        model = load_model(named, device="cuda")
        assert card.tried == [HALF, None]
        assert model.dtype == torch.float32
        assert not list(model.notices)

    def test_a_requested_precision_is_used(self, card: Card, named: str) -> None:
        assert load_model(named, device="cuda", precision="fp32").dtype == torch.float32
        assert load_model(named, device="cuda", precision="fp64").dtype == torch.float64
        assert load_model(named, device="cuda", precision="bf16").dtype == torch.bfloat16
        assert HALF not in card.tried

    def test_a_ready_model_is_left_as_it_is(self, card: Card, tiny_clip: nn.Module) -> None:
        assert load_model(tiny_clip, device="cuda").dtype == torch.float32
        assert card.tried == [None]

    def test_a_cpu_with_native_bf16_uses_it(
        self, named: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(placing, "fast_types", lambda device: (torch.bfloat16,))
        assert load_model(named, device="cpu").dtype == torch.bfloat16


def test_a_small_model_is_left_as_it_is(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "fast_types", lambda device: (torch.bfloat16,))
    model = load_model(named, device="cpu")
    assert model.dtype == load_model("demo", device="cpu").dtype == torch.float32


def device_of(model: ClipModel) -> torch.device:
    device: torch.device = next(model.module.parameters()).device
    return device


@pytest.fixture
def lent(card: Card, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], ClipModel]:
    """Load a model that seems to be on the card, until it falls back."""

    def load(given: Any) -> ClipModel:
        model = load_model(given, device="cuda")
        pretended = weakref.ref(model.module)
        monkeypatch.setattr(
            ClipModel,
            "device",
            property(lambda self: CARD if self.module is pretended() else device_of(self)),
        )
        return model

    return load


@pytest.mark.parametrize("ready", [True, False])
def test_falling_back_to_the_cpu(
    lent: Callable[[Any], ClipModel],
    named: str,
    tiny_clip: nn.Module,
    batch: Tensor,
    log: Callable[[], list[str]],
    ready: bool,
) -> None:
    model = lent(tiny_clip if ready else named)
    expected = model.token_map(batch).tokens
    before = model.describe()
    weights = weakref.ref(next(model.module.visual.parameters()))
    model.fall_back_to_cpu("ran out of memory")
    gc.collect()
    assert weights() is None  # nothing is held on the card
    assert model.device == CPU
    assert torch.equal(model.token_map(batch).tokens, expected)
    assert model.encode_text(["cell"]).shape == (1, 24)
    assert model.describe() == before | {"device": "cpu"}
    (notice,) = model.notices
    assert notice.startswith("cuda:0 ran out of memory, so the CPU continued")
    assert log() == [notice]


def test_weights_that_are_gone_from_the_disk_are_an_error(
    lent: Callable[[Any], ClipModel], make_folder: Callable[[], Path]
) -> None:
    folder = make_folder()
    model = lent(f"local-dir:{folder}")
    (folder / "open_clip_model.safetensors").unlink()
    with pytest.raises(ModelLoadError, match="holds no weights"):
        model.fall_back_to_cpu("failed (CUDA error: lost)")


@pytest.mark.usefixtures("every_model_is_large")
def test_falling_back_to_full_precision(lent: Callable[[Any], ClipModel], named: str) -> None:
    model = lent(named)
    assert model.dtype == HALF
    assert model.fall_back_to_full_precision()
    assert model.dtype == torch.float32
    assert "exceeded the range of float16" in " ".join(model.notices)
    assert not model.fall_back_to_full_precision()  # there is nothing wider


def test_an_unused_gpu_is_reported_with_auto_only(
    named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "unused_gpu_notice", lambda device: "There is a GPU.")
    assert list(load_model(named, device="auto").notices) == ["There is a GPU."]
    assert not list(load_model(named, device="cpu").notices)
