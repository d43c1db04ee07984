from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import napari_clip_heatmap as nch
from napari_clip_heatmap.errors import EncodingFileError, ModelLoadError, OutputError
from napari_clip_heatmap.imaging.masks import LabeledRegion, Outlines
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.pipeline.progressive import encode_progressively
from napari_clip_heatmap.pipeline.storage.records import lattice_record
from napari_clip_heatmap.pipeline.storage.zarr_file import LOSS, from_half, to_half

PROMPTS = ["nuclei", "actin filaments", "debris"]
FORMS = pytest.mark.parametrize("name", ["scan.zarr", "scan.zarr.zip"])


@pytest.fixture
def pixels():
    image = np.random.default_rng(5).random((70, 90)).astype(np.float32)
    image[10:20, 30:50] = np.nan
    image[60:, 80:] = np.inf
    return image


@pytest.fixture
def encoding(tiny_model, pixels):
    return encode(tiny_model, pixels, downsample=1)


def same(one, other):
    assert one.describe() == other.describe()
    a, b = one.heatmaps(PROMPTS), other.heatmaps(PROMPTS)
    np.testing.assert_array_equal(a.values, b.values)
    np.testing.assert_array_equal(a.similarity, b.similarity)
    np.testing.assert_array_equal(one.valid, other.valid)
    np.testing.assert_array_equal(one.accumulator.tile_mask, other.accumulator.tile_mask)


@FORMS
def test_what_is_opened_is_what_was_saved(encoding, tiny_model, tmp_path, name):
    path = encoding.save(tmp_path / "deep" / name)
    assert [each.name for each in path.parent.iterdir()] == [name]
    same(encoding, nch.open_encoding(path, model=tiny_model))


@FORMS
def test_a_finer_lattice_is_saved_and_a_standard_one_as_ever(tiny_model, pixels, tmp_path, name):
    finer = encode(tiny_model, pixels, downsample=1, quality="fine")
    same(finer, nch.open_encoding(finer.save(tmp_path / name), model=tiny_model))
    assert lattice_record(finer.lattice)["y"]["parts"] == 2
    standard = encode(tiny_model, pixels, downsample=1)
    assert set(lattice_record(standard.lattice)["x"]) == {
        *("image", "working", "patch", "tile", "starts")
    }


@pytest.mark.parametrize(
    "region",
    [
        Region(box=(5.5, 20, 40, 61)),
        Region(mask=Outlines([np.array([[5, 5], [5, 40], [50.5, 20]]), np.eye(3)[:, :2] * 60])),
        Region(
            mask=LabeledRegion(
                np.arange(35 * 45).reshape(35, 45) % 700 // 600, np.diag([0.5, 0.5, 1])
            )
        ),
    ],
    ids=["box", "outlines", "labels"],
)
def test_a_region_goes_along(tiny_model, pixels, tmp_path, region):
    part = encode(tiny_model, pixels, downsample=1, region=region)
    assert part.accumulator.tile_mask.sum() > 0
    assert np.isnan(part.heatmaps(PROMPTS).values).any()
    same(part, nch.open_encoding(part.save(tmp_path / "a.zarr"), model=tiny_model))


@pytest.mark.parametrize("records", [1, 2, 4], ids=["nothing", "coarse", "some tiles"])
def test_what_is_not_finished_stays_so_and_can_be_carried_on(
    tiny_model, pixels, tmp_path, encoding, records
):
    steps = encode_progressively(tiny_model, pixels, downsample=1, batch_size=1)
    part = [next(steps) for _ in range(records)][-1].encoding
    steps.close()
    opened = nch.open_encoding(part.save(tmp_path / "a.zarr.zip"), model=tiny_model)
    assert not opened.complete
    same(part, opened)
    *_, last = encode_progressively(
        tiny_model, pixels, downsample=1, batch_size=1, coarse=False, resume=opened
    )
    assert last.encoding.complete
    np.testing.assert_allclose(last.encoding.token_map, encoding.token_map, atol=1e-7)


def test_scoring_takes_no_image_tower(tiny_folder, pixels, tmp_path):
    model = nch.load_model(f"local-dir:{tiny_folder}", device="cpu")
    encoding = encode(model, pixels, downsample=1, view=View("percentile", invert=True))
    path = encoding.save(tmp_path / "a.zarr.zip")
    code = (
        "import sys, json\n"
        "import napari_clip_heatmap as nch\n"
        f"encoding = nch.open_encoding({str(path)!r})\n"
        "assert 'torch' not in sys.modules\n"
        "from napari_clip_heatmap.clip import model\n"
        "model.ClipModel.__init__ = None  # the one way to an image tower\n"
        f"maps = encoding.heatmaps({PROMPTS!r})\n"
        "print(json.dumps(maps.similarity.tolist()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = encoding.heatmaps(PROMPTS).similarity
    np.testing.assert_allclose(json.loads(done.stdout), expected, atol=1e-6)


def test_another_models_words_are_refused(encoding, tiny_folder, tmp_path, make_clip):
    path = encoding.save(tmp_path / "a.zarr")
    other = nch.load_model(make_clip(seed=7), device="cpu")
    with pytest.raises(ModelLoadError, match=r"weights .*does not\s+fit"):
        nch.open_encoding(path, model=other)
    with pytest.raises(ModelLoadError, match="no name to load it by"):
        nch.open_encoding(path).heatmaps(PROMPTS)
    named = nch.open_encoding(path, model=f"local-dir:{tiny_folder}")
    np.testing.assert_array_equal(named.heatmaps(PROMPTS).values, encoding.heatmaps(PROMPTS).values)
    demo = nch.open_encoding(path, model="demo")
    with pytest.raises(ModelLoadError, match="'demo' has"):
        demo.heatmaps(PROMPTS)


@FORMS
def test_a_name_that_is_taken_is_kept(encoding, tiny_model, tmp_path, name):
    path = tmp_path / name
    encoding.save(path)
    with pytest.raises(OutputError, match="overwrite=True"):
        encoding.save(path)
    assert encoding.save(path, overwrite=True) == path
    assert [each.name for each in tmp_path.iterdir()] == [name]
    same(encoding, nch.open_encoding(path, model=tiny_model))


def test_a_folder_of_something_else_is_never_replaced(encoding, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"precious")
    with pytest.raises(OutputError, match="no saved encoding"):
        encoding.save(tmp_path / "photos", overwrite=True)
    assert [each.name for each in tmp_path.rglob("*")] == ["photos", "a.png"]


def test_where_nothing_can_be_written_nothing_is_left(encoding, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot be saved"):
        encoding.save(tmp_path / "file" / "a.zarr")


@pytest.mark.parametrize("content", [None, b"", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_encoding_is_told(tmp_path, content):
    path = tmp_path / "a.zarr.zip"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EncodingFileError, match=r"a\.zarr\.zip"):
        nch.open_encoding(path)


def test_other_zarr_is_no_encoding(tmp_path):
    import zarr

    zarr.create_group(tmp_path / "a.zarr", attributes={"multiscales": []})
    with pytest.raises(EncodingFileError, match="is no saved encoding"):
        nch.open_encoding(tmp_path / "a.zarr")


def test_one_cut_short_is_noticed_wherever_it_is_cut(encoding, tmp_path):
    whole = encoding.save(tmp_path / "a.zarr.zip").read_bytes()
    cut = tmp_path / "cut.zarr.zip"
    for length in np.linspace(0, len(whole) - 1, 40).astype(int):
        cut.write_bytes(whole[:length])
        with pytest.raises(EncodingFileError, match="cut"):
            nch.open_encoding(cut)


@FORMS
def test_a_flipped_bit_is_noticed_or_changes_nothing(encoding, tiny_model, tmp_path, name):
    path = encoding.save(tmp_path / name)
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    choose, noticed, harmless = np.random.default_rng(0), 0, 0
    for _ in range(150):
        file = files[choose.integers(len(files))]
        before = file.read_bytes()
        content = bytearray(before)
        content[choose.integers(len(content))] ^= 1 << int(choose.integers(8))
        file.write_bytes(content)
        try:
            opened = nch.open_encoding(path, model=tiny_model)
        except EncodingFileError:
            noticed += 1
        else:
            same(encoding, opened)
            harmless += 1
        file.write_bytes(before)
    assert noticed > harmless


def test_the_users_own_zarr_settings_change_no_file(encoding, tiny_model, tmp_path):
    path = tmp_path / "scan.zarr"
    with zarr.config.set({"default_zarr_format": 2}):
        encoding.save(path)
        encoding.save(path, overwrite=True)
    assert zarr.open_group(path, mode="r").metadata.zarr_format == 3
    same(encoding, nch.open_encoding(path, model=tiny_model))


@pytest.mark.parametrize("array", ["tokens", "embeddings", "done", "invalid"])
def test_a_lost_chunk_is_noticed(encoding, tmp_path, array):
    path = encoding.save(tmp_path / "a.zarr")
    shutil.rmtree(path / array / "c")
    with pytest.raises(EncodingFileError, match=f"'{array}'"):
        nch.open_encoding(path)


def test_compact_is_smaller_and_loses_little(encoding, tiny_model, tmp_path):
    exact, small = (
        encoding.save(tmp_path / "a.zip"),
        encoding.save(tmp_path / "b.zip", compact=True),
    )
    assert small.stat().st_size < 0.85 * exact.stat().st_size
    values = encoding.heatmaps(PROMPTS, "absolute").values
    again = nch.open_encoding(small, model=tiny_model).heatmaps(PROMPTS, "absolute").values
    spread = np.nanmax(values, axis=(1, 2)) - np.nanmin(values, axis=(1, 2))
    assert (np.nanmax(np.abs(again - values), axis=(1, 2)) < LOSS * spread).all()
    assert not np.array_equal(again, values, equal_nan=True)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 999),
    size=st.integers(-60, 60),
    offset=st.sampled_from([0.0, 1.0, 1e2, 1e4]),
    zeros=st.booleans(),
)
def test_half_precision_is_refused_where_it_would_cost_a_map(seed, size, offset, zeros):
    generator = np.random.default_rng(seed)
    tokens = np.ldexp(generator.normal(offset, 1, (6, 7, 16)), size).astype(np.float32)
    if zeros:
        tokens[:3] = 0
    half = to_half(tokens)
    if half is None:
        assert offset > 1, "what varies as much as it weighs loses little"
        return
    assert half[0].dtype == np.float16
    assert np.isfinite(half[0]).all()
    back = from_half(*half)
    directions = generator.normal(size=(16, 5))
    true, got = tokens.astype(float) @ directions, back.astype(float) @ directions
    assert np.median(np.abs(got - true).max((0, 1)) / np.ptp(true, axis=(0, 1))) < LOSS


def test_a_map_without_range_is_halved_only_where_that_is_exact():
    assert to_half(np.zeros((2, 3, 4), np.float32)) is not None
    assert to_half(np.full((2, 3, 4), 0.5, np.float32)) is not None
    assert to_half(np.full((2, 3, 4), 0.1, np.float32)) is None


def test_a_newer_format_asks_for_an_update(encoding, tmp_path, monkeypatch):
    from napari_clip_heatmap.pipeline.storage import zarr_file as arrays

    with monkeypatch.context() as future:
        future.setattr(arrays, "FORMAT", arrays.FORMAT + 1)
        path = encoding.save(tmp_path / "a.zarr")
    with pytest.raises(EncodingFileError, match="update napari-clip-heatmap"):
        nch.open_encoding(path)
