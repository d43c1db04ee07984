"""Training runs the same numbers as open_clip and as the package's decomposition."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F
from training.export import MODEL_CONFIG, TextIds
from training.network import embed, encode_texts, fast_type

import napari_clip_heatmap as nch


def test_training_forward_is_open_clips_and_its_token_map_is_the_packages() -> None:
    torch.manual_seed(0)
    clip = TextIds(32).compact_clip(MODEL_CONFIG).eval()
    side = MODEL_CONFIG["vision_cfg"]["image_size"]
    images = torch.randn(2, 3, side, side)
    embedding, token_map = embed(clip.visual, images)
    expected = F.normalize(clip.encode_image(images), dim=-1)
    torch.testing.assert_close(embedding, expected, atol=2e-6, rtol=0)
    d = nch.decompose(nch.load_model(clip, device="cpu", precision="fp32"), images)
    shape = d.attention.sum((1, 3))[:, 1:]
    centered = shape - shape.mean(1, keepdim=True)
    # The reference convention adds constants to every token; the shape of the map is the same.
    torch.testing.assert_close(
        token_map - token_map.mean(1, keepdim=True), centered, atol=2e-6, rtol=0
    )


def test_texts_without_their_padding_are_open_clips() -> None:
    torch.manual_seed(0)
    ids = TextIds(32)
    clip = ids.compact_clip(MODEL_CONFIG).eval()
    tokens = ids(["nuclei", "a micrograph of red blood cells and platelets", "cell walls"])
    with torch.no_grad():
        found, expected = encode_texts(clip, tokens), clip.encode_text(tokens)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("device", "processor", "wanted"),
    [
        ("cpu", "AVX512", torch.bfloat16),
        ("cpu", "AVX2", torch.float32),
        ("cpu", "NO AVX", torch.float32),
        ("cuda", "AVX2", torch.bfloat16),
    ],
)
def test_half_precision_only_where_it_is_fast(
    device: str, processor: str, wanted: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: processor)
    assert fast_type(torch.device(device)) == wanted
