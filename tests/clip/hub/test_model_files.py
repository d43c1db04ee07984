from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import close_session, constants
from safetensors.torch import save_file
from torch import Tensor

from napari_clip_heatmap.clip.hub import download
from napari_clip_heatmap.clip.loading import load_model
from napari_clip_heatmap.clip.model import ClipModel
from napari_clip_heatmap.clip.sources.open_clip_registry import download_tag
from napari_clip_heatmap.clip.sources.resolve import download_hub_model, hub_folder, needs_download
from napari_clip_heatmap.errors import Cancelled, ModelLoadError, UnsupportedModelError

CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"
NAME = "hf-hub:someone/tiny"


@pytest.fixture(autouse=True)
def _served(hub: Any, tiny_folder: Path) -> None:
    hub.add("someone/tiny", tiny_folder)


def load(name: str, **options: Any) -> ClipModel:
    return load_model(name, device="cpu", **options)


def test_a_model_of_the_hub_is_downloaded_once(
    hub: Any, tiny_model: ClipModel, batch: Tensor
) -> None:
    assert hub_folder(NAME) is None
    assert needs_download(NAME)
    model = load(NAME)
    assert not needs_download(NAME)
    assert model.name == NAME
    assert model.weights_sha256 == tiny_model.weights_sha256
    assert (model.mean, model.std) == ((0.5,) * 3, (0.25,) * 3)
    before = len(hub.requests)
    assert torch.equal(load(NAME).token_map(batch).tokens, model.token_map(batch).tokens)
    assert len(hub.requests) == before, "files on this machine need no network"


def test_a_model_of_transformers_is_downloaded_too(
    hub: Any, transformers_folder: Path, tiny_model: ClipModel
) -> None:
    hub.add("lab/plip", transformers_folder)
    model = load("hf-hub:lab/plip")
    assert model.weights_sha256 == tiny_model.weights_sha256
    assert model.mean == (0.4, 0.5, 0.6)
    assert hub_folder("hf-hub:lab/plip") is not None


def test_a_tag_is_downloaded_once(hub: Any, listed: str, tiny_model: ClipModel) -> None:
    assert needs_download(listed)
    assert not hub.requests, "this needs no network"
    model = load(listed)
    assert not needs_download(listed)
    assert model.mean == (0.1,) * 3
    assert model.weights_sha256 == tiny_model.weights_sha256
    before = len(hub.requests)
    load(listed)
    assert len(hub.requests) == before
    assert {name for name, _ in hub.gets()} == {WEIGHTS}


def test_prefetched_it_loads_offline(
    hub: Any, listed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    download_tag(listed, progress=lambda *now: seen.append(now), cancelled=lambda: False)
    download_hub_model(NAME)
    assert seen[-1][0] == seen[-1][1] == len(hub.files["someone/tiny", WEIGHTS])
    assert seen == sorted(seen)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    close_session()
    assert load(listed).encode_text(["cell"]).shape == (1, 24)
    assert load(NAME).encode_text(["cell"]).shape == (1, 24)


def test_a_text_tower_of_another_library_brings_its_tokenizer(
    hub: Any, listed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import open_clip

    text = {"hf_model_name": "else/bert", "hf_tokenizer_name": "else/bert"}
    config = {**open_clip.factory._MODEL_CONFIGS["ViT-tiny"], "text_cfg": text}
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "ViT-tiny", config)
    hub.files["else/bert", "config.json"] = b"{}"
    hub.files["else/bert", "vocab.txt"] = b"cell"
    download_tag(listed, progress=lambda done, total: None, cancelled=lambda: False)
    assert {name for name, _ in hub.gets()} == {WEIGHTS, "config.json", "vocab.txt"}


def test_a_newer_version_is_downloaded(
    hub: Any, make_folder: Callable[[], Path], tiny_model: ClipModel
) -> None:
    load(NAME)
    folder = make_folder()
    config = json.loads((folder / CONFIG).read_text())
    config["preprocess_cfg"]["mean"] = [0.3] * 3
    (folder / CONFIG).write_text(json.dumps(config))
    hub.add("someone/tiny", folder)
    hub.commit = "f" * 40
    assert load(NAME).mean == (0.5,) * 3
    download_hub_model(NAME)
    assert load(NAME).mean == (0.3,) * 3
    assert [name for name, _ in hub.gets()].count(WEIGHTS) == 1, "the same weights are not"


def test_half_a_newer_version_takes_nothing_away(
    hub: Any, make_folder: Callable[[], Path], make_clip: Callable[..., Any]
) -> None:
    before = load(NAME).weights_sha256
    folder = make_folder()
    save_file(make_clip(seed=9).state_dict(), folder / WEIGHTS)
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(config, indent=1))
    hub.add("someone/tiny", folder)
    hub.commit = "e" * 40
    with pytest.raises(Cancelled):
        download_hub_model(
            NAME, cancelled=lambda: hub.gets()[-1][0] == WEIGHTS and len(hub.gets()) > 2
        )
    assert load(NAME).weights_sha256 == before
    download_hub_model(NAME)
    assert load(NAME).weights_sha256 != before


def test_cancel_and_resume(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PIECE", 1 << 16)
    seen: list[int] = []
    with pytest.raises(Cancelled):
        download_hub_model(
            NAME, progress=lambda done, total: seen.append(done), cancelled=lambda: len(seen) > 3
        )
    assert hub_folder(NAME) is None
    with pytest.raises(Cancelled, match="before it started"):
        download_hub_model(NAME, cancelled=lambda: True)
    download_hub_model(NAME)
    assert hub.gets()[-1] == (WEIGHTS, f"bytes={seen[-1]}-")


def test_everything_a_failure_has_to_say(
    hub: Any, listed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.status = 503
    with pytest.raises(ModelLoadError) as caught:
        load(listed)
    text = str(caught.value)
    base = f"{hub.url}/someone/tiny/resolve/main"
    folder = tmp_path / "by-hand" / "ViT-tiny" / "released"
    assert f"The file {WEIGHTS} of '{listed}'" in text, "which file"
    assert f"from {hub.url}: " in text, "from where"
    assert "HTTP 503; try again later" in text, "why"
    assert text.endswith(f"Or download by hand {WEIGHTS} from {base} into {folder}.")
    with pytest.raises(ModelLoadError) as caught:
        load(NAME)
    folder = tmp_path / "by-hand" / "hf-hub" / "someone" / "tiny"
    advice = f"Or download by hand {CONFIG} and {WEIGHTS} from {base} into {folder}."
    assert str(caught.value).endswith(advice)


def test_files_placed_by_hand_are_loaded(
    hub: Any, listed: str, tmp_path: Path, tiny_folder: Path, tiny_model: ClipModel
) -> None:
    hub.status = 503
    by_hand = tmp_path / "by-hand"
    (by_hand / listed).mkdir(parents=True)
    assert needs_download(listed)
    with pytest.raises(ModelLoadError, match="HTTP 503"):
        load(listed)
    (by_hand / listed / WEIGHTS).write_bytes((tiny_folder / WEIGHTS).read_bytes())
    (by_hand / "hf-hub" / "someone").mkdir(parents=True)
    (by_hand / "hf-hub" / "someone" / "tiny").symlink_to(tiny_folder)
    assert load(listed).weights_sha256 == load(NAME).weights_sha256 == tiny_model.weights_sha256
    assert len(hub.gets()) == 1, "an empty folder holds no model"


def test_no_network(hub: Any, listed: str, point_to: Callable[[str], None]) -> None:
    point_to("http://127.0.0.1:1")
    for name in (NAME, listed):
        with pytest.raises(ModelLoadError, match=r"no connection \(Connect.*HTTPS_PROXY"):
            load(name)


def test_offline_mode(hub: Any, listed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    close_session()
    for name in (NAME, listed):
        with pytest.raises(ModelLoadError, match=r"HF_HUB_OFFLINE is set.*by hand"):
            load(name)
    assert not hub.requests


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_asks_for_a_password(
    hub: Any,
    listed: str,
    monkeypatch: pytest.MonkeyPatch,
    point_to: Callable[[str], None],
    scheme: str,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", hub.url)
    monkeypatch.setenv("HTTPS_PROXY", hub.url)
    monkeypatch.setenv("NO_PROXY", "")
    point_to(f"{scheme}://hub.invalid")
    close_session()
    for name in (NAME, listed):
        with pytest.raises(ModelLoadError, match=r"proxy requires a password \(HTTP 407\)"):
            load(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hf-hub:nobody/nothing", "there is no such repository, or it requires permission"),
        ("hf-hub:a b/c", "is not the name of a repository"),
        ("hf-hub:", "is not the name of a repository"),
        ("hf-hub:someone/bare", "has none of open_clip_model.safetensors"),
    ],
)
def test_what_is_not_there(hub: Any, name: str, message: str) -> None:
    hub.files["someone/bare", CONFIG] = hub.files["someone/tiny", CONFIG]
    with pytest.raises(ModelLoadError, match=message):
        load(name)


@pytest.mark.parametrize("odd", ["../../x", 5, ["a/b"]])
def test_a_hostile_name_of_a_text_model(hub: Any, odd: object) -> None:
    config = json.loads(hub.files["someone/tiny", CONFIG])
    config["model_cfg"]["text_cfg"]["hf_model_name"] = odd
    hub.files["someone/tiny", CONFIG] = json.dumps(config).encode()
    with pytest.raises(ModelLoadError, match=r"not the name of a repository|hf_model_name' is"):
        load(NAME)


def test_what_cannot_be_decomposed_is_refused_before_weights_are_downloaded(hub: Any) -> None:
    config = json.loads(hub.files["someone/tiny", CONFIG])
    config["model_cfg"]["vision_cfg"]["attentional_pool"] = "cascade"
    hub.files["someone/tiny", CONFIG] = json.dumps(config).encode()
    with pytest.raises(UnsupportedModelError, match="two attentional poolings"):
        download_hub_model(NAME)
    assert [name for name, _ in hub.gets()] == [CONFIG]


def test_another_hash(hub: Any, listed: str) -> None:
    hub.digest = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(ModelLoadError, match=r"have the hash .*deleted.*by hand"):
        load(listed)


@pytest.mark.parametrize(
    "name", ["demo", "local-dir:folder", "x/y.safetensors", "ViT-B-32/openai@x.pt", "ViT-B-32@x.pt"]
)
def test_files_of_the_users_need_no_download(hub: Any, name: str) -> None:
    assert not needs_download(name)
    assert not hub.requests


def test_unknown_models_are_refused_before_a_download() -> None:
    with pytest.raises(ModelLoadError, match="no architecture"):
        needs_download("ViT-Z-99/openai")
