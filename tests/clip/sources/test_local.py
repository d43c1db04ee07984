"""Local files of weights, with and without their settings, and model folders."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from napari_clip_heatmap.clip.loading import load_model
from napari_clip_heatmap.clip.model import ClipModel
from napari_clip_heatmap.clip.sources.build import infer_config, matching_architectures
from napari_clip_heatmap.clip.sources.local import architectures_alike
from napari_clip_heatmap.errors import DecompositionError, ModelLoadError, UnsupportedModelError

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
def test_settings_of_weights_are_requested_not_guessed(
    tiny_clip: nn.Module, listed: str, tmp_path: Path, prefix: str
) -> None:
    path = write(tiny_clip, tmp_path / "w.pt")
    assert architectures_alike(path) == ("ViT-tiny",)
    with pytest.raises(
        ModelLoadError, match=rf"w\.pt holds.*shapes are those of ViT-tiny\..*'{listed}@PATH'"
    ):
        load_model(f"{prefix}{path}")
    with pytest.raises(ModelLoadError, match=rf"w\.pt holds.*'{listed}@PATH'.*--preprocess"):
        load_model(f"ViT-tiny@{path}")
    model = load_model(f"ViT-tiny@{path}", device="cpu", preprocess="half")
    assert model.mean == (0.5,) * 3


def test_weights_of_no_known_shape(tmp_path: Path, make_clip: Callable[..., Any]) -> None:
    path = write(make_clip(width=64), tmp_path / "w.pt")
    assert architectures_alike(path) == ()
    with pytest.raises(ModelLoadError, match=r"w\.pt holds.*'ARCH/TAG@PATH'"):
        load_model(str(path))
    write(nn.Linear(2, 2), path)
    with pytest.raises(ModelLoadError, match=r"w\.pt holds.*'ARCH/TAG@PATH'"):
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


def test_towers_that_cannot_be_decomposed_are_refused(
    tmp_path: Path, make_clip: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise UnsupportedModelError("No exact decomposition")

    monkeypatch.setattr("napari_clip_heatmap.clip.sources.local.refuse_unsupported", refuse)
    path = write(make_clip(), tmp_path / "w.pt")
    with pytest.raises(UnsupportedModelError, match="No exact"):
        load_model(f"ViT-B-32/openai@{path}")


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

    def test_a_vocabulary_finds_unknown_words(self, make_folder: Callable[[], Path]) -> None:
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

    def test_open_clips_default_preprocessing_is_used_with_a_notice(
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
        chosen = load_model(f"local-dir:{folder}", device="cpu", preprocess="half")
        assert chosen.mean == chosen.std == (0.5, 0.5, 0.5)
        assert not [*chosen.notices]

    def test_a_text_tower_of_another_library_says_what_it_needs(
        self, make_folder: Callable[[], Path]
    ) -> None:
        folder = make_folder()
        config = json.loads((folder / CONFIG).read_text())
        config["model_cfg"]["text_cfg"] = {"hf_model_name": "a/none", "proj": "mlp"}
        (folder / CONFIG).write_text(json.dumps(config))
        with pytest.raises(ModelLoadError, match="transformers"):
            load(folder)

    def test_missing_files_are_named(self, make_folder: Callable[[], Path]) -> None:
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
        config["model_cfg"]["text_cfg"]["vocab_size"] = 10**6
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
        with pytest.raises(ModelLoadError, match=r"'visual\.proj' holds NaN or infinite"):
            load(folder)

    def test_weights_of_the_text_tower_that_are_not_finite(
        self, make_folder: Callable[[], Path]
    ) -> None:
        folder = make_folder()
        weights = load_file(folder / WEIGHTS)
        weights["token_embedding.weight"][-1, -1] = float("inf")
        (folder / WEIGHTS).unlink()
        torch.save(weights, folder / "open_clip_pytorch_model.bin")
        with pytest.raises(ModelLoadError, match=r"'token_embedding\.weight' holds NaN"):
            load(folder)

    def test_weights_that_overflow_in_the_probe(self, make_folder: Callable[[], Path]) -> None:
        folder = make_folder()
        weights = load_file(folder / WEIGHTS)
        weights["visual.proj"] *= 1e37
        save_file(weights, folder / WEIGHTS)
        with pytest.raises(DecompositionError, match=r"overflows.*in tensor 'visual\.proj'"):
            load(folder)

    @pytest.mark.parametrize("content", [b"\xff\xfe nuclei", b"caf\xe9"])
    def test_a_vocabulary_that_is_not_utf8(
        self, make_folder: Callable[[], Path], content: bytes
    ) -> None:
        folder = make_folder()
        (folder / "vocabulary.txt").write_bytes(content)
        with pytest.raises(ModelLoadError, match=r"vocabulary\.txt cannot be read.*UTF-8"):
            load(folder)
