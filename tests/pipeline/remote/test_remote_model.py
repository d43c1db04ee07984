from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from distributed import LocalCluster

import napari_clip_heatmap as nch
from napari_clip_heatmap.errors import DeviceError, SettingsError
from napari_clip_heatmap.pipeline.progressive import Progress, encode_progressively

pytestmark = [
    # Of the libraries that are used here, when a cluster ends.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]

IMAGE = np.random.default_rng(0).integers(0, 255, (220, 260, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as started:
        yield started


@pytest.fixture(scope="module")
def remote(cluster: LocalCluster) -> Iterator[Any]:
    model: Any = nch.load_model("demo", device=cluster.scheduler_address)
    yield model
    model.close()


def keep(
    records: list[Progress], source: Iterator[Progress], then: Callable[[], Any] = lambda: None
) -> None:
    for record in source:
        records.append(record)
        then()


def test_tiles_encoded_by_workers_are_those_encoded_here(remote: Any) -> None:
    here = nch.encode(nch.load_model("demo", device="cpu"), IMAGE, downsample=1.0)
    there = nch.encode(remote, IMAGE, downsample=1.0)
    largest = np.abs(here.token_map).max()
    np.testing.assert_allclose(there.token_map, here.token_map, atol=1e-6 * largest)
    np.testing.assert_allclose(there.embedding, here.embedding, atol=1e-6)
    prompts = ["nuclei", "background"]
    mine, theirs = here.heatmaps(prompts), there.heatmaps(prompts)
    np.testing.assert_allclose(theirs.values, mine.values, atol=1e-6 * np.abs(mine.values).max())


def test_the_record_says_where_it_was_encoded(remote: Any, cluster: LocalCluster) -> None:
    about = remote.describe()
    assert about["device"] == f"{cluster.scheduler_address} (cpu)"
    assert about["weights_sha256"] == nch.load_model("demo", device="cpu").weights_sha256
    assert cluster.scheduler_address in repr(remote)


def test_progress_and_cancel_are_as_here(remote: Any) -> None:
    image = np.tile(IMAGE, (2, 2, 1))
    records: list[Progress] = []
    stopping = encode_progressively(
        remote, image, downsample=1.0, coarse=False, cancelled=lambda: len(records) > 1
    )
    with pytest.raises(nch.Cancelled):
        keep(records, stopping)
    kept = records[-1].encoding
    done = int(kept.accumulator.tile_mask.sum())
    assert 0 < done < records[-1].total
    rest = [*encode_progressively(remote, image, downsample=1.0, coarse=False, resume=kept)]
    assert rest[0].done == done
    assert rest[-1].done == rest[-1].total


@pytest.mark.parametrize(
    ("model", "device", "error", "reason"),
    [
        ("demo", "tcp://192.0.2.7:8786", DeviceError, "no certificate"),
        (object(), "tcp://127.0.0.1:8786", SettingsError, "by its name"),
    ],
)
def test_what_is_not_trusted_or_has_no_name_is_refused(
    model: Any, device: str, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        nch.load_model(model, device=device)


def test_what_needs_the_image_tower_here_says_so(remote: Any) -> None:
    batch = np.zeros((1, 96, 96, 3), np.float32)
    for ask in (remote.preprocess, remote.token_map, remote.decompose, lambda _: remote.n_layers):
        with pytest.raises(DeviceError, match="device of this machine"):
            ask(batch)


def test_a_model_that_workers_lack_is_said_to_be(cluster: LocalCluster) -> None:
    with pytest.raises(nch.ClipHeatmapError, match="no-such-model"):
        nch.load_model("no-such-model", device=cluster.scheduler_address)


def test_a_scheduler_that_is_lost_is_said_to_be() -> None:
    with LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as other:
        model: Any = nch.load_model("demo", device=other.scheduler_address)
        pids = [*model._client.run(os.getpid).values()]
        assert os.getpid() not in pids  # encoded in another process
        records: list[Progress] = []
        encoding = encode_progressively(model, IMAGE, downsample=1.0, coarse=False)
        with pytest.raises(DeviceError, match="what is done is kept"):
            keep(records, encoding, lambda: other.close() if len(records) == 3 else None)
        model.close()
    assert records[-1].encoding.accumulator.tile_mask.any()
