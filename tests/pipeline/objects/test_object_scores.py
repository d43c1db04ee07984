from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import torch
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_clip_heatmap.api import decompose
from napari_clip_heatmap.errors import ClipHeatmapError, ImageError, PromptError, SettingsError
from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.pipeline.objects.object_scores import score_objects
from napari_clip_heatmap.pipeline.verdicts import Verdict

PROMPTS = ["red", "green", "blue"]
SOME = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def image():
    picture = np.full((70, 90, 3), 0.3, np.float32)
    picture[8:28, 8:40, 0] = 1
    picture[40:60, 8:40, 1] = 1
    picture[20:50, 56:84, 2] = 1
    return picture


@pytest.fixture
def labels():
    drawn = np.zeros((70, 90), np.int32)
    drawn[8:28, 8:40] = 12
    drawn[40:60, 8:40] = 3
    drawn[20:50, 56:84] = 700
    return drawn


@pytest.fixture
def encoding(model, image):
    return encode(model, image)


def adds_up(scores):
    total = scores.contribution.sum(axis=0) + scores.outside + scores.rest
    np.testing.assert_allclose(total, scores.similarity, atol=1e-5)


@SOME
@given(
    shape=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    factor=st.sampled_from([0.5, 1, 1.3, 3]),
    overlap=st.sampled_from([0, 0.5, 0.8]),
    planes=st.sampled_from([(), (1,), (3,), (2, 2)]),
    score=st.sampled_from(["absolute", "relative", "softmax"]),
    seed=st.integers(0, 99),
)
def test_contributions_add_up_to_the_similarity(
    make_model, shape, factor, overlap, planes, score, seed
):
    rng = np.random.default_rng(seed)
    model, labels = make_model(), rng.integers(0, 5, (*planes, *shape))
    labels[..., 0, 0] = 1
    encodings = [
        encode(model, rng.random((*shape, 3)), downsample=factor, overlap=overlap)
        for _ in range(int(np.prod(planes)))
    ]
    scores = score_objects(encodings if planes else encodings[0], labels, PROMPTS, score)
    adds_up(scores)
    similarity = [each.heatmaps(PROMPTS).similarity for each in encodings]
    np.testing.assert_allclose(scores.similarity, np.mean(similarity, axis=0), atol=1e-6)
    everything = score_objects(
        encodings if planes else encodings[0], np.ones_like(labels), PROMPTS, score
    )
    adds_up(everything)
    np.testing.assert_allclose(everything.outside, 0, atol=1e-5)
    np.testing.assert_allclose(everything.rest, scores.rest, atol=1e-9)


def test_the_rest_is_what_the_model_keeps_in_no_patch(tiny_model):
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    encoding = encode(tiny_model, image, downsample=1)
    scores = score_objects(encoding, np.ones((32, 32), int), ["a", "b"])
    batch = tiny_model.preprocess(image[np.newaxis].astype(np.float32) / 255)
    parts = decompose(tiny_model, batch)
    no_patch = parts.attention[:, :, 0].sum((1, 2)) + parts.mlp.sum(1)
    text = tiny_model.text.encode(["a", "b"])
    np.testing.assert_allclose(scores.rest, (no_patch @ text.T)[0].numpy(), atol=1e-5)
    patches = parts.attention[:, :, 1:].sum((1, 2, 3))
    np.testing.assert_allclose(scores.contribution, (patches @ text.T).numpy(), atol=1e-5)


def test_objects_are_named_by_what_they_are(encoding, labels):
    scores = score_objects(encoding, labels, PROMPTS)
    assert scores.label.tolist() == [3, 12, 700]
    assert scores.best == ("green", "red", "blue")
    assert (scores.margin > 0).all()
    assert ((scores.rank >= 0) & (scores.rank <= 1)).all()
    assert set(scores.verdict) <= set(Verdict)
    assert scores.table["prompt"].tolist() == ["green", "red", "blue"]


@pytest.mark.parametrize("score", ["absolute", "relative", "softmax"])
def test_means_are_those_of_the_map_and_contributions_those_of_the_cosine(encoding, labels, score):
    scores = score_objects(encoding, labels, PROMPTS, score)
    maps = encoding.heatmaps(PROMPTS, score).lattice_values
    # This label covers whole patches; its own cells are those of its pixels.
    y, x = encoding.lattice.y.cell_edges(), encoding.lattice.x.cell_edges()
    rows = np.flatnonzero((y[:-1] >= 8) & (y[1:] <= 28))
    columns = np.flatnonzero((x[:-1] >= 8) & (x[1:] <= 40))
    inside = np.zeros((70, 90), int)
    inside[int(y[rows[0]]) : int(y[rows[-1] + 1]), int(x[columns[0]]) : int(x[columns[-1] + 1])] = 1
    one = score_objects(encoding, inside, PROMPTS, score)
    expected = maps[:, rows][:, :, columns].mean((1, 2))
    np.testing.assert_allclose(one.mean[0], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        scores.contribution, score_objects(encoding, labels, PROMPTS).contribution
    )
    height = maps.max((1, 2)) - maps.mean((1, 2))
    rise = np.maximum(maps - maps.mean((1, 2), keepdims=True), 0)[:, rows][:, :, columns]
    standing = rise.mean((1, 2)) / height
    np.testing.assert_allclose(one.standing[0], standing, rtol=1e-3, atol=1e-4)


@SOME
@given(seed=st.integers(0, 99), cut=st.integers(1, 69))
def test_two_parts_of_an_object_contribute_what_it_does(encoding, seed, cut):
    whole = np.random.default_rng(seed).integers(0, 2, (70, 90))
    whole[0] = 1
    whole[-1] = 1
    parts = whole.copy()
    parts[cut:] *= 2
    one, two = (score_objects(encoding, each, PROMPTS) for each in (whole, parts))
    np.testing.assert_allclose(two.contribution.sum(0), one.contribution.sum(0), atol=1e-9)
    np.testing.assert_allclose(two.outside, one.outside, atol=1e-9)


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "i8", "u8"])
def test_any_type_of_integer_is_read_alike(encoding, labels, dtype):
    small = np.where(labels == 700, 7, labels)
    expected = score_objects(encoding, small, PROMPTS)
    scores = score_objects(encoding, small.astype(dtype), PROMPTS)
    assert scores.label.dtype == dtype
    np.testing.assert_array_equal(scores.contribution, expected.contribution)


def test_lazy_labels_are_read_alike(encoding, labels):
    expected = score_objects(encoding, labels, PROMPTS)
    store = zarr.create_array(zarr.storage.MemoryStore(), data=labels, chunks=(32, 32))
    for lazy in (da.from_array(labels, chunks=(20, 33)), store):
        scores = score_objects(encoding, lazy, PROMPTS)
        np.testing.assert_allclose(scores.contribution, expected.contribution, atol=1e-12)
        assert scores.best == expected.best


def test_an_object_may_lie_in_several_planes(model, image, labels):
    encodings = [encode(model, image), encode(model, image[::-1].copy())]
    stack = np.stack([labels, labels[::-1]])
    scores = score_objects((each for each in encodings), stack, PROMPTS)
    flat = score_objects(encodings[0], labels, PROMPTS)
    assert scores.best == flat.best
    np.testing.assert_array_equal(scores.geometry["area"], 2 * flat.geometry["area"])
    assert scores.geometry["centroid_plane"].tolist() == [0.5, 0.5, 0.5]
    assert scores.geometry["plane_first"].tolist() == [0, 0, 0]
    assert scores.geometry["plane_stop"].tolist() == [2, 2, 2]


def test_the_table_has_a_row_an_object_and_columns_for_each_prompt(encoding, labels):
    scores = score_objects(encoding, labels, PROMPTS, pixel_size=(2, 2), unit="nm")
    frame = scores.to_pandas()
    assert list(frame.columns[:5]) == ["label", "prompt", "margin", "rank", "verdict"]
    assert frame["area"].tolist() == [640, 640, 840]
    assert frame["area_nm2"].tolist() == [2560, 2560, 3360]
    np.testing.assert_allclose(frame["contribution green"], scores.contribution[:, 1])
    np.testing.assert_allclose(frame["mean blue"], scores.mean[:, 2])
    assert frame["centroid_y"].tolist() == [49.5, 17.5, 34.5]


def test_one_prompt_alone_has_no_margin(encoding, labels):
    scores = score_objects(encoding, labels, ["red"])
    assert scores.best == ("red",) * 3
    assert np.isnan(scores.margin).all()


def test_objects_smaller_than_a_patch_are_told(encoding):
    labels = np.zeros((70, 90), int)
    labels[10:12, 10:12] = 1
    assert (
        "1 of 1 objects cover less than one patch"
        in score_objects(encoding, labels, PROMPTS).notes[-1]
    )


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda labels: labels[:-1], r"\(69, 90\).*\(70, 90\)"),
        (lambda labels: labels.astype(float), "float64"),
        (lambda labels: labels > 0, "skimage.measure.label"),
        (lambda labels: -labels, "negative"),
        (lambda labels: labels * 0, "no object"),
        (lambda labels: np.stack([labels, labels]), "there are 1 encodings"),
        (lambda labels: labels[:0], r"\(0, 90\)"),
        (lambda labels: labels.tolist(), "list"),
        (lambda labels: None, "NoneType"),
    ],
)
def test_labels_that_are_none_of_the_image_are_refused(encoding, labels, wrong, words):
    with pytest.raises(ImageError, match=words):
        score_objects(encoding, wrong(labels), PROMPTS)


@pytest.mark.parametrize("wrong", [None, 3, "encoding", [], [None]])
def test_what_is_no_encoding_is_refused(labels, wrong):
    with pytest.raises(ImageError, match="encoding"):
        score_objects(wrong, labels, PROMPTS)


def test_prompts_and_sizes_are_checked(encoding, labels):
    with pytest.raises(PromptError):
        score_objects(encoding, labels, [])
    with pytest.raises(PromptError, match="'standing' is unknown"):
        score_objects(encoding, labels, PROMPTS, "standing")
    with pytest.raises(SettingsError, match="pixel_size"):
        score_objects(encoding, labels, PROMPTS, pixel_size=0)


def test_planes_of_different_models_are_refused(model, make_model, image, labels):
    other = make_model()
    other.describe = lambda: {"name": "other", "weights_sha256": "1" * 64}
    encodings = [encode(model, image), encode(other, image)]
    with pytest.raises(ImageError, match="different models, fake and other"):
        score_objects(encodings, np.stack([labels, labels]), PROMPTS)


def test_every_error_is_one_of_the_tree(encoding):
    with pytest.raises(ClipHeatmapError):
        score_objects(encoding, np.ones((3, 3), int), PROMPTS)


def test_a_double_precision_text_tower_changes_nothing(encoding, labels, monkeypatch):
    expected = score_objects(encoding, labels, PROMPTS)
    encode_text = encoding.text.encode
    monkeypatch.setattr(encoding.text, "encode", lambda texts: encode_text(texts).to(torch.float64))
    np.testing.assert_allclose(
        score_objects(encoding, labels, PROMPTS).contribution, expected.contribution, atol=1e-6
    )
