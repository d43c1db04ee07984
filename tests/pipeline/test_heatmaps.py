from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.pipeline.objects.object_scores import score_objects

PROMPTS = ["red", "green", "nuclei"]


def encoding_of(model, seed=0, **settings):
    image = np.random.default_rng(seed).random((1300, 1100))
    image[40:50, 1050:1060] = np.nan
    return encode(model, image, downsample=3.3, **settings)


@pytest.mark.parametrize("region", [Region(), Region(box=(100.5, 200, 1200, 900))])
def test_lazy_is_eager_exactly(model, region):
    encoding = encoding_of(model, region=region)
    eager, lazy = encoding.heatmaps(PROMPTS), encoding.lazy_heatmaps(PROMPTS)
    array = lazy.dask()
    assert array.shape == eager.values.shape
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array.compute(scheduler="threads"), eager.values)
    np.testing.assert_array_equal(
        array[1, 37:48, 1020:1057].compute(), eager.values[1, 37:48, 1020:1057]
    )
    np.testing.assert_array_equal(lazy.lattice_values, eager.lattice_values)
    np.testing.assert_array_equal(lazy.similarity, eager.similarity)


def test_drawing_along_edges_changes_no_number(model):
    image = np.random.default_rng(0).random((130, 110)).astype(np.float32)
    image[40:50, 90:100] = np.nan
    maps = encode(model, image, downsample=1).heatmaps(PROMPTS)
    labels = np.arange(130 * 110, dtype=np.int32).reshape(130, 110) // 3000

    def numbers():
        found, scored = maps.objects("red"), score_objects(maps.encoding, labels, PROMPTS)
        return (
            *(maps.values, maps.lattice_values, maps.similarity, maps.jet()),
            *(found.labels, found.table["area"], found.table["mean"]),
            *(scored.contribution, scored.mean, scored.rest),
        )

    before = [np.array(each) for each in numbers()]
    drawn = maps.edge_aware(image)
    assert drawn.shape == maps.values.shape
    np.testing.assert_array_equal(np.isnan(drawn), np.isnan(maps.values))
    assert np.nanmax(np.abs(drawn - maps.values)) > 0
    for one, other in zip(before, numbers(), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ImageError, match="shape"):
        maps.edge_aware(image[:50])


def test_limits_hold_all_values_and_are_known_before_any(model):
    encoding = encoding_of(model)
    values, limits = encoding.heatmaps(PROMPTS).values, encoding.lazy_heatmaps(PROMPTS).limits
    assert (np.nanmin(values, axis=(1, 2)) >= limits[:, 0] - 1e-6).all()
    assert (np.nanmax(values, axis=(1, 2)) <= limits[:, 1] + 1e-6).all()


def test_a_pyramid_halves_down_to_one_window(model):
    levels = encoding_of(model).lazy_heatmaps(PROMPTS).pyramid(smallest=400)
    assert [level.shape for level in levels] == [(3, 1300, 1100), (3, 650, 550), (3, 325, 275)]
    fine, coarse = levels[0].compute(), levels[1].compute()
    means = fine.reshape(3, 650, 2, 550, 2).mean((2, 4))
    known = np.isfinite(means)
    assert np.abs(means - coarse)[known].max() < 0.02 * np.ptp(means[known])


def test_only_the_chunks_looked_at_are_computed(model, monkeypatch):
    from napari_clip_heatmap.pipeline import heatmaps as lazy

    calls = []
    whole = lazy.to_image_pixels
    monkeypatch.setattr(lazy, "to_image_pixels", lambda *args: calls.append(1) or whole(*args))
    array = encoding_of(model).lazy_heatmaps(PROMPTS).dask()
    assert calls == []
    array[2, 1100:1200, 5:9].compute()
    assert len(calls) == 1


@pytest.mark.parametrize("region", [Region(), Region(box=(100.5, 200, 1200, 900))])
def test_a_pixel_is_what_its_window_is(model, region):
    maps = encoding_of(model, region=region).lazy_heatmaps(PROMPTS)
    window = maps.window()
    places = np.random.default_rng(1).integers(0, (1300, 1100), (200, 2)).tolist()
    for y, x in [(0, 0), (1299, 1099), (39, 1055), (45, 1055), (50, 1060), (100, 200), *places]:
        np.testing.assert_allclose(maps.at(y, x), window[:, y, x], atol=1e-6)


def test_reprs_are_short_and_say_what_is_inside(model):
    encoding = encoding_of(model)
    assert repr(encoding) == (
        "Encoding(model='fake', image=1300 x 1100, patches=99 x 84, tiles=480 of 480)"
    )
    maps = encoding.lazy_heatmaps([*PROMPTS, "a", "b"])
    assert repr(maps) == (
        "LazyHeatmaps('red', 'green', 'nuclei', 'a', ... 5 in all; "
        "score='relative', y=1300, x=1100)"
    )
    assert len(repr(encoding.lazy_heatmaps(["x" * 5000]))) < 200


def test_text_that_is_the_same_to_the_model_is_told_as_one(model):
    encode = model.text.encode
    model.text.encode = lambda prompts: encode([prompt.lower() for prompt in prompts])
    maps = encoding_of(model).lazy_heatmaps(["nuclei", "Nuclei", "NUCLEI", "debris"])
    (note,) = [note for note in maps.notes if "same text" in note]
    assert note.startswith("To this model 'nuclei', 'Nuclei', 'NUCLEI' are")
