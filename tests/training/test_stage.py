"""A stage learns, saves, and continues from its checkpoint."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.distributed as dist
from training.stage import Settings, Stage, learning_rate, run_stage

from training import stage as stage_module


@pytest.fixture
def one_process(tmp_path):
    store = f"file://{tmp_path / 'store'}"
    dist.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_the_rate_warms_up_holds_and_falls_to_nothing():
    rates = np.array([learning_rate(step, 1000, 2.0) for step in range(1000)])
    assert rates[0] == pytest.approx(0.02)
    assert (np.diff(rates[:100]) > 0).all()
    np.testing.assert_array_equal(rates[99:500], 2.0)
    assert (np.diff(rates[500:]) < 0).all()
    assert rates[-1] == pytest.approx(2 / 500)


@pytest.mark.usefixtures("muon")
def test_a_stage_learns_and_is_not_done_twice(tmp_path, one_process):
    torch.manual_seed(0)
    learner = torch.nn.Linear(3, 2)
    taken = []

    def losses(batch):
        taken.append(len(batch.images))
        return {"size": learner(torch.ones(1, 3)).square().sum()}

    def stage(n_steps):
        return Stage("small", learner, [learner.weight], losses, n_steps, 0.05, 2000, {24: 1.0})

    settings = Settings(tmp_path, 0, 0, 0, 0, 0, processes=1, workers=1, device="cpu", port=0)
    before = losses_now(learner)
    run_stage(stage(30), settings, rank=0)
    assert losses_now(learner) < 0.7 * before
    assert len(taken) == 30
    assert torch.load(tmp_path / "small.pt", weights_only=True)["step"] == 30
    run_stage(stage(30), settings, rank=0)
    assert len(taken) == 30
    run_stage(stage(33), settings, rank=0)
    assert len(taken) == 33


@pytest.mark.usefixtures("muon")
def test_a_run_that_was_interrupted_ends_as_if_it_was_not(tmp_path, one_process, monkeypatch):
    monkeypatch.setattr(stage_module, "_SAVE_EVERY", 2)

    def weights_after(*stops):
        torch.manual_seed(0)
        folder = tmp_path / "-".join(map(str, stops))
        folder.mkdir()
        settings = Settings(folder, 0, 0, 0, 0, 0, processes=1, workers=0, device="cpu", port=0)
        for stop in stops:  # each time as a new process would: from the initial weights
            torch.manual_seed(0)
            learner = torch.nn.Linear(3, 2)

            def losses(batch, learner=learner):
                means = torch.from_numpy(batch.images.mean((1, 2)) / 255).float()
                return {"size": learner(means).square().mean()}

            monkeypatch.setattr(stage_module, "learning_rate", lambda *_: 0.01)
            stage = Stage("small", learner, [learner.weight], losses, stop, 0.05, 2000, {24: 1.0})
            run_stage(stage, settings, rank=0)
        return learner.weight.detach()

    torch.testing.assert_close(weights_after(2, 4, 5), weights_after(5), atol=0, rtol=0)


def losses_now(learner):
    with torch.no_grad():
        return float(learner(torch.ones(1, 3)).square().sum())
