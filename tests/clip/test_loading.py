from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from open_clip.pretrained import get_pretrained_cfg
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from napari_clip_heatmap.clip.loading import load_model
from napari_clip_heatmap.clip.model import ClipModel
from napari_clip_heatmap.clip.sources import open_clip_registry as registry
from napari_clip_heatmap.errors import (
    DecompositionError,
    DeviceError,
    ModelLoadError,
    UnsupportedModelError,
)

CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"


def load(folder: Path) -> ClipModel:
    return load_model(f"local-dir:{folder}", device="cpu")


class TestFolder:
    def test_it_gives_the_same_numbers(
        self, tiny_folder: Path, tiny_model: ClipModel, batch: Tensor
    ) -> None:
        model = load(tiny_folder)
        assert model.name == f"local-dir:{tiny_folder}"
        assert torch.equal(model.token_map(batch).tokens, tiny_model.token_map(batch).tokens)
        assert torch.equal(model.encode_text(["cell"]), tiny_model.encode_text(["cell"]))
        assert model.weights_sha256 == tiny_model.weights_sha256
        assert (model.mean, model.std) == ((0.5,) * 3, (0.25,) * 3)

    def test_open_clip_reads_the_same_folder(
        self, tiny_folder: Path, tiny_model: ClipModel, batch: Tensor
    ) -> None:
        if not hasattr(open_clip.factory, "LOCAL_DIR_PREFIX"):
            pytest.skip("this open_clip knows no local-dir")
        theirs = open_clip.create_model(f"local-dir:{tiny_folder}").eval()
        with torch.no_grad():
            expected = theirs.encode_image(batch)
        torch.testing.assert_close(tiny_model.token_map(batch).representation, expected)

    def test_pickled_tensors_are_read_too(
        self, make_folder: Callable[[], Path], tiny_model: ClipModel
    ) -> None:
        folder = make_folder()
        torch.save(load_file(folder / WEIGHTS), folder / "open_clip_pytorch_model.bin")
        (folder / WEIGHTS).unlink()
        assert load(folder).weights_sha256 == tiny_model.weights_sha256

    def test_pickled_code_is_refused_and_not_run(self, make_folder: Callable[[], Path]) -> None:
        folder = make_folder()
        target = folder / "executed"

        class Bomb:
            def __reduce__(self) -> tuple[object, tuple[object, ...]]:
                return os.mkdir, (str(target),)

        torch.save(
            {**load_file(folder / WEIGHTS), "x": Bomb()}, folder / "open_clip_pytorch_model.bin"
        )
        (folder / WEIGHTS).unlink()
        with pytest.raises(ModelLoadError, match="nothing in it was executed"):
            load(folder)
        assert not target.exists()

    def test_a_vocabulary_tells_unknown_words(self, make_folder: Callable[[], Path]) -> None:
        folder = make_folder()
        (folder / "vocabulary.txt").write_text("nuclei\nred\n", encoding="utf-8")
        assert load(folder).text.unknown_words("Red giraffe nuclei") == ("giraffe",)

    def test_custom_text_towers(
        self, make_folder: Callable[[], Path], tiny_model: ClipModel
    ) -> None:
        folder = make_folder()
        config = json.loads((folder / CONFIG).read_text())
        config["model_cfg"]["custom_text"] = True
        (folder / CONFIG).write_text(json.dumps(config))
        expected = tiny_model.encode_text(["cell"])
        torch.testing.assert_close(load(folder).encode_text(["cell"]), expected)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda c: c.pop("model_cfg"), "model_cfg"),
            (lambda c: c["model_cfg"].pop("vision_cfg"), "image tower"),
            (lambda c: c["model_cfg"]["vision_cfg"].update(novelty=1), "novelty"),
            (lambda c: c["model_cfg"]["text_cfg"].update(novelty=1), "novelty"),
            (lambda c: c["model_cfg"]["vision_cfg"].update(width=64), "do not fit"),
            (lambda c: c["model_cfg"]["vision_cfg"].update(layers=2), "do not fit"),
            (lambda c: c["preprocess_cfg"].update(mean=[0.5]), "three numbers"),
        ],
    )
    def test_a_configuration_that_does_not_fit(
        self, make_folder: Callable[[], Path], change: Callable[[Any], object], message: str
    ) -> None:
        folder = make_folder()
        config = json.loads((folder / CONFIG).read_text())
        change(config)
        (folder / CONFIG).write_text(json.dumps(config))
        with pytest.raises(ModelLoadError, match=message):
            load(folder)

    def test_preprocessing_is_open_clips_where_its_file_says_nothing_and_that_is_told(
        self, make_folder: Callable[[], Path]
    ) -> None:
        folder = make_folder()
        config = json.loads((folder / CONFIG).read_text())
        del config["preprocess_cfg"]
        (folder / CONFIG).write_text(json.dumps(config))
        model = load(folder)
        assert model.mean == (0.48145466, 0.4578275, 0.40821073)
        (notice,) = model.notices
        assert CONFIG in notice
        assert "--preprocess" in notice
        said = load_model(f"local-dir:{folder}", device="cpu", preprocess="half")
        assert said.mean == said.std == (0.5, 0.5, 0.5)
        assert not [*said.notices]

    def test_a_text_tower_of_another_library_says_what_it_needs(
        self, make_folder: Callable[[], Path]
    ) -> None:
        folder = make_folder()
        config = json.loads((folder / CONFIG).read_text())
        config["model_cfg"]["text_cfg"] = {"hf_model_name": "a/none", "proj": "mlp"}
        (folder / CONFIG).write_text(json.dumps(config))
        with pytest.raises(ModelLoadError, match="transformers"):
            load(folder)

    def test_what_is_not_there_is_said(self, make_folder: Callable[[], Path]) -> None:
        folder = make_folder()
        (folder / WEIGHTS).unlink()
        with pytest.raises(ModelLoadError, match="holds no weights"):
            load(folder)
        (folder / CONFIG).write_text("{")
        with pytest.raises(ModelLoadError, match="cannot be read"):
            load(folder)
        (folder / CONFIG).unlink()
        with pytest.raises(ModelLoadError, match=f"no {CONFIG}"):
            load(folder)
        with pytest.raises(ModelLoadError, match="no model folder"):
            load(folder / "nowhere")

    def test_a_size_that_is_only_claimed_takes_no_memory(
        self, make_folder: Callable[[], Path]
    ) -> None:
        folder = make_folder()
        config = json.loads((folder / CONFIG).read_text())
        config["model_cfg"]["text_cfg"]["vocab_size"] = 10**12
        (folder / CONFIG).write_text(json.dumps(config))
        with pytest.raises(ModelLoadError, match=r"token_embedding\.weight \(49408, 16\) instead"):
            load(folder)

    def test_damaged_weights(self, make_folder: Callable[[], Path]) -> None:
        folder = make_folder()
        whole = (folder / WEIGHTS).read_bytes()
        (folder / WEIGHTS).write_bytes(whole[: len(whole) // 3])
        with pytest.raises(ModelLoadError, match="safetensors"):
            load(folder)

    def test_weights_that_are_not_finite(self, make_folder: Callable[[], Path]) -> None:
        folder = make_folder()
        weights = load_file(folder / WEIGHTS)
        weights["visual.proj"][0, 0] = float("nan")
        save_file(weights, folder / WEIGHTS)
        with pytest.raises(DecompositionError, match="inf"):
            load(folder)


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
        with pytest.raises(DecompositionError, match=r"gap is 0\.001"):
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


class TestNames:
    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("ViT-B-16", r"which weights.*'ViT-B-16/laion2b_s34b_b88k'"),
            ("ViT-B-16/none", r"no tag 'none'.*'ViT-B-16/openai'"),
            ("ViT-B16/openai", r"no architecture 'ViT-B16'.*ViT-B-16"),
            ("", "no architecture ''"),
        ],
    )
    def test_unknown_names(self, name: str, message: str) -> None:
        with pytest.raises(ModelLoadError, match=message):
            load_model(name)

    @pytest.mark.parametrize(
        "name", ["MobileCLIP-S1/datacompdr", "convnext_large_d/laion2b_s26b_b102k_augreg"]
    )
    def test_other_towers_are_refused_before_a_download(
        self, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(registry, "obtain", lambda *a, **k: pytest.fail("late"))
        with pytest.raises(UnsupportedModelError, match="o exact decomposition"):
            load_model(name)

    def test_a_tag_brings_its_own_activation_and_preprocessing(
        self, monkeypatch: pytest.MonkeyPatch, tiny_clip: Any, tiny_folder: Path
    ) -> None:
        asked: list[dict[str, Any]] = []

        def build(model_cfg: dict[str, Any], *_: object, **options: object) -> Any:
            asked.append(model_cfg)
            return copy.deepcopy(tiny_clip)

        monkeypatch.setattr(registry, "obtain", lambda name, files: [tiny_folder / WEIGHTS])
        monkeypatch.setattr(registry, "assemble", build)
        model = load_model("ViT-B-32/openai", device="cpu")
        assert model.mean == (0.48145466, 0.4578275, 0.40821073)
        theirs = get_pretrained_cfg("ViT-B-32", "openai")
        assert asked[-1]["quick_gelu"] is theirs.get("quick_gelu", False)
        assert asked[-1]["vision_cfg"]["patch_size"] == 32
        half = load_model("ViT-L-14/laion2b_s32b_b82k", device="cpu")
        assert half.mean == half.std == (0.5, 0.5, 0.5)
        assert asked[-1]["quick_gelu"] is False
        said = load_model("ViT-L-14/laion2b_s32b_b82k", device="cpu", preprocess="openai")
        assert said.mean == (0.48145466, 0.4578275, 0.40821073)


@pytest.mark.parametrize("device", ["cuda:99", "abacus", "meta"])
def test_devices_that_are_not_there(tiny_clip: Any, device: str) -> None:
    with pytest.raises(DeviceError, match=device):
        load_model(tiny_clip, device=device)


def test_precisions_that_are_not_there(tiny_clip: Any) -> None:
    with pytest.raises(DeviceError, match=r"'fp8'.*'bf16'"):
        load_model(tiny_clip, precision="fp8")
