"""Faults of a device are injected: it need not be there, only its name is."""

from __future__ import annotations

import gc
import weakref
from itertools import pairwise
from threading import Barrier

import numpy as np
import pytest
import torch

from napari_clip_heatmap.clip import devices
from napari_clip_heatmap.clip.weights import Notices
from napari_clip_heatmap.errors import Cancelled, ModelLoadError
from napari_clip_heatmap.pipeline import batches
from napari_clip_heatmap.pipeline.batches import BatchedForward
from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.pipeline.progressive import encode_progressively

CPU, CARD, MPS = torch.device("cpu"), torch.device("cuda:0"), torch.device("mps")


def full():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def lost():
    raise RuntimeError("CUDA error: unspecified launch failure\nCompile with TORCH_USE_CUDA_DSA")


def lacking():
    raise NotImplementedError("The operator 'aten::x' is not implemented for the MPS device")


def picture(shape=(160, 200)):
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)


@pytest.fixture
def lent(make_model):
    """Make a model that runs on a device with the faults asked for, until it leaves that."""

    class Lent(make_model):
        def __init__(self, device=CARD, fault=lambda tiles, passes: None):
            super().__init__()
            self.device, self.fault = device, fault
            self.notices, self.max_batch = Notices(), None
            self.narrow = False

        def describe(self):
            return super().describe() | {"device": str(self.device)}

        def token_map(self, batch):
            answer = super().token_map(batch)
            self.shown = weakref.ref(batch)
            if self.device != CPU:
                self.fault(len(batch), len(self.batches))
            if self.narrow and batch.max() == 1:
                answer.representation = answer.representation * float("inf")
            return answer

        def fall_back_to_cpu(self, reason):
            assert self.shown() is None, "the error still holds what the device has no room for"
            self.notices.add("device", f"{self.device} {reason}")
            self.device, self.max_batch = CPU, None

        def fall_back_to_full_precision(self):
            changed, self.narrow = self.narrow, False
            return changed

    return Lent


def encoded(model, **settings):
    return encode(model, picture(), downsample=1, **settings)


@pytest.fixture
def expected(model):
    return encoded(model).token_map


@pytest.fixture
def released(monkeypatch):
    """How often memory was handed back."""
    calls = []
    monkeypatch.setattr(devices, "release_memory", lambda: calls.append(1))
    return calls


@pytest.mark.parametrize("room", [1, 2, 5, 31])
@pytest.mark.parametrize("device", [CARD, MPS, CPU])
def test_passes_are_halved_until_there_is_room(lent, expected, released, device, room):
    def fault(tiles, _):
        if tiles > room:
            full()

    model = lent(device, fault)
    if device == CPU:  # the allocator of a CPU fails too
        model.token_map = refusing(model.token_map, room)
    encoding = encoded(model, batch_size=32)
    np.testing.assert_allclose(encoding.token_map, expected, atol=1e-6)
    assert encoding.complete
    assert model.device == device
    assert room / 2 < model.max_batch <= room
    (notice,) = encoding.notices
    assert f"{device} has no memory for {2 * model.max_batch}" in notice
    assert f"{model.max_batch} at a time" in notice
    assert encoding.describe()["notices"] == [notice]
    tried = len(model.batches)
    encoded(model, batch_size=32)
    assert max(model.batches[tried:]) == model.max_batch  # it is not tried again for every plane
    assert released


def refusing(answer, room):
    def token_map(batch):
        if len(batch) > room:
            raise RuntimeError("DefaultCPUAllocator: not enough memory")
        return answer(batch)

    return token_map


@pytest.mark.parametrize("device", [CARD, MPS])
@pytest.mark.parametrize("after", [0, 1, 3])
@pytest.mark.parametrize("error", [full, lost, lacking])
def test_the_cpu_goes_on_where_the_device_does_not(lent, expected, released, device, after, error):
    model = lent(device, lambda _, passes: error() if passes > after else None)
    encoding = encoded(model, batch_size=4)
    assert encoding.complete
    np.testing.assert_allclose(encoding.token_map, expected, atol=1e-6)
    assert model.device == CPU
    assert encoding.model["device"] == "cpu"
    reported = " ".join(encoding.notices)
    assert f"{device} {'ran out of memory' if error is full else 'failed ('}" in reported


def test_no_tile_that_was_done_is_done_again(lent, released):
    model = lent(CARD, lambda tiles, passes: lost() if passes == 4 else None)
    encoding = encoded(model, batch_size=2)
    # The pass that failed, and the one that was under way with it on the card, and no other.
    assert sum(model.batches) <= len(encoding.tiles) + 4
    model = lent(MPS, lambda tiles, passes: lost() if passes == 4 else None)
    encoding = encoded(model, batch_size=2)
    assert sum(model.batches) == len(encoding.tiles) + 2


def test_progress_is_told_pass_by_pass_after_the_cpu_took_over(lent, released):
    model = lent(CARD, lambda tiles, passes: lost() if passes > 1 else None)
    records = [*encode_progressively(model, picture(), downsample=1, coarse=False)]
    done = [record.done for record in records]
    n_on_cpu = 196 // 64  # a pass there has fewer tiles than one on the card
    assert all(later - sooner <= n_on_cpu for sooner, later in pairwise(done))


def test_the_coarse_look_and_blank_tiles_go_the_same_road(lent, released):
    blank = np.zeros((160, 200, 3), np.uint8)
    for image in (picture(), blank):
        model = lent(CARD, lambda tiles, passes: lost() if passes == 1 else None)
        *_, last = encode_progressively(model, image, downsample=1)
        assert last.encoding.complete
        assert last.encoding.coarse is not None
        assert model.device == CPU


@pytest.mark.parametrize("error", [lost, full])
def test_what_the_cpu_cannot_do_either_is_an_error_and_the_rest_is_kept(lent, error, released):
    model = lent(CARD, lambda tiles, passes: lost() if passes > 3 else None)
    answer = model.token_map

    def token_map(batch):
        if model.device == CPU:
            error()
        return answer(batch)

    model.token_map = token_map
    records = encode_progressively(model, picture(), downsample=1, batch_size=1, coarse=False)
    seen = []
    with pytest.raises(RuntimeError, match="CUDA"):
        seen.extend(iter(records))
    done = seen[-1]
    assert done.encoding.accumulator.tile_mask.sum() == done.done >= 2
    model.token_map = answer
    *_, last = encode_progressively(
        model, picture(), downsample=1, coarse=False, resume=done.encoding
    )
    assert last.encoding.complete  # on another device than it began


def test_weights_that_cannot_be_read_again_are_an_error(lent, released, monkeypatch):
    model = lent(CARD, lambda tiles, passes: lost() if passes > 2 else None)

    def gone(reason):
        raise ModelLoadError("the folder holds no weights")

    monkeypatch.setattr(model, "fall_back_to_cpu", gone)
    with pytest.raises(ModelLoadError, match="no weights"):
        encoded(model, batch_size=1)


def test_what_half_precision_cannot_hold_is_done_again_in_full(lent, expected, released):
    for device in (CARD, CPU):
        model = lent(device)
        model.narrow = True
        encoding = encoded(model, batch_size=3)
        assert not model.narrow
        np.testing.assert_allclose(encoding.token_map, expected, atol=1e-6)


def test_a_card_is_given_the_next_pass_before_it_answers_the_last(lent, released):
    counts = []
    for device in (CARD, CPU):
        model = lent(device)
        passes = BatchedForward(model, 2)
        tiles = [((0, n), np.full((32, 32, 3), n / 9, np.float32)) for n in range(6)]
        landed = [
            [p for done in passes.submit(tiles[n : n + 2], last=n == 4) for p, _ in done]
            for n in (0, 2, 4)
        ]
        counts.append([len(each) for each in landed])
        assert [place for each in landed for place in each] == [place for place, _ in tiles]
        assert passes.in_flight == 0
    assert counts == [[0, 2, 4], [2, 2, 2]]


def test_what_is_under_way_when_cancelled_is_kept(lent, released):
    model, records = lent(CARD), []
    with pytest.raises(Cancelled, match="after 8 of"):
        records.extend(
            encode_progressively(
                model,
                picture(),
                downsample=1,
                batch_size=2,
                coarse=False,
                cancelled=lambda: sum(model.batches) >= 8,
            )
        )
    assert records[-1].encoding.accumulator.tile_mask.sum() == sum(model.batches) == 8


def test_memory_is_handed_back_when_done_and_when_stopped(lent, released):
    encoded(lent(CARD))
    assert len(released) == 1
    records = encode_progressively(lent(CARD), picture(), downsample=1, batch_size=1)
    next(records)
    next(records)
    records.close()
    assert len(released) == 2
    encoded(lent(CPU))
    assert len(released) == 2


def test_nothing_of_the_device_is_kept(lent, released):
    model = lent(CARD)
    encoding = encoded(model)
    kept = weakref.ref(model)
    del model
    gc.collect()
    assert kept() is None
    assert encoding.complete


@pytest.fixture
def two_threads(set_threads):
    set_threads(2)


def colored(number):
    return [((0, n), np.full((32, 32, 3), n / number, np.float32)) for n in range(number)]


def test_a_cpu_computes_two_batches_of_a_small_model_at_a_time(make_model, two_threads):
    together, used = Barrier(2, timeout=30), []

    class Meeting(make_model):
        d_model = 8

        def token_map(self, batch):
            together.wait()  # fails unless another batch is at the same place
            used.append(torch.get_num_threads())
            return super().token_map(batch)

    passes = BatchedForward(Meeting(), 2)
    landed = [place for done in passes.submit(colored(12), last=True) for place, _ in done]
    assert landed == [place for place, _ in colored(12)]
    assert used == [1] * 6
    assert torch.get_num_threads() == 2


def test_what_fails_in_one_of_them_is_an_error_after_the_tiles_before_it(make_model, two_threads):
    class Failing(make_model):
        d_model = 8

        def token_map(self, batch):
            if batch.max() > 0.6:
                raise RuntimeError("a fault of the processor")
            return super().token_map(batch)

    passes, landed = BatchedForward(Failing(), 1), []
    with pytest.raises(RuntimeError, match="a fault of the processor"):
        landed.extend(place for done in passes.submit(colored(10), last=True) for place, _ in done)
    assert landed == [(0, n) for n in range(7)]


def test_too_large_a_batch_is_halved_there_too(make_model, two_threads):
    class Small(make_model):
        d_model = 8

        def token_map(self, batch):
            if len(batch) > 2:
                raise MemoryError
            return super().token_map(batch)

    model = Small()
    model.notices, model.max_batch = Notices(), None
    passes = BatchedForward(model, 8)
    landed = [place for done in passes.submit(colored(11), last=True) for place, _ in done]
    assert landed == [place for place, _ in colored(11)]
    assert model.max_batch == 2


def test_large_models_keep_all_threads_for_one_batch(tiny_model, two_threads, monkeypatch):
    assert batches.at_once(tiny_model) == 2
    monkeypatch.setattr(batches, "_SHORT", 0)
    assert batches.at_once(tiny_model) == 1
