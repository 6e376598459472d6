"""The loop: stopped and resumed runs equal unbroken ones; what goes wrong stops it clearly.

Runs that are really killed are in test_kill.py.
"""

import json
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from mamtra.errors import ConfigError, TrainingError
from mamtra.training.loop import LoopSettings, rehearse, train

SETTINGS = LoopSettings(
    steps=12, warmup_steps=2, log_every=1, evaluate_every=4, checkpoint_seconds=0.0
)


def make_model() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.1), nn.Linear(8, 1))


def loss_of(model: nn.Module, stop_before: int | None = None):
    def loss(step: int) -> dict[str, torch.Tensor]:
        if step == stop_before:
            raise KeyboardInterrupt
        batch = torch.randn(16, 4, generator=torch.Generator().manual_seed(step))
        weight = next(model.parameters())
        return {
            "loss": (model(batch.to(weight.dtype)).float() - batch.sum(1, True)).square().mean()
        }

    return loss


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_a_stopped_run_resumes_to_the_same_bits(tmp_path, precision, optimizer) -> None:
    settings = LoopSettings(
        steps=12, log_every=1, checkpoint_seconds=0.0, precision=precision, optimizer=optimizer
    )
    model = make_model()
    train(tmp_path / "whole", model, loss_of(model), settings)
    model = make_model()
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "broken", model, loss_of(model, stop_before=7), settings)
    model = make_model()
    train(tmp_path / "broken", model, loss_of(model), settings)
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(value, weights(tmp_path / "broken")[name])


def test_a_loss_that_is_no_number_stops_with_the_checkpoint_intact(tmp_path) -> None:
    model = make_model()
    good = loss_of(model)

    def loss(step: int) -> dict[str, torch.Tensor]:
        values = good(step)
        return {"loss": values["loss"] * (float("nan") if step == 5 else 1.0)}

    with pytest.raises(TrainingError, match="at step 5"):
        train(tmp_path, model, loss, SETTINGS)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 5


def test_the_log_holds_every_report_and_the_evaluations(tmp_path) -> None:
    model = make_model()
    train(tmp_path, model, loss_of(model), SETTINGS, lambda: {"validation_loss": 1.0})
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == list(range(1, 13))
    assert [row["step"] for row in rows if "validation_loss" in row] == [4, 8, 12]


def test_a_checkpoint_of_another_model_is_refused(tmp_path) -> None:
    model = make_model()
    train(tmp_path, model, loss_of(model), SETTINGS)
    other = nn.Linear(4, 1)
    with pytest.raises(TrainingError, match="belongs to another model"):
        train(tmp_path, other, loss_of(other), SETTINGS)


def test_the_learning_rate_warms_up_and_falls() -> None:
    settings = LoopSettings(steps=100, warmup_steps=10, learning_rate=1.0)
    rates = [settings.learning_rate_at(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.03


def test_the_learning_rate_may_stay_as_it_is() -> None:
    settings = LoopSettings(steps=100, warmup_steps=0, learning_rate=1e-5, schedule="constant")
    assert {settings.learning_rate_at(step) for step in range(100)} == {1e-5}


@pytest.mark.parametrize(
    "wrong",
    [
        {"accumulate": 0},
        {"ema": 1.0},
        {"schedule": "stairs"},
        {"precision": "int8"},
        {"learning_rate": 0.0},
        {"gradient_clip": float("nan")},
        {"betas": (0.9, 1.0)},
        {"weight_decay": -0.1},
        {"log_every": 0},
        {"warmup_steps": -1},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        LoopSettings(steps=1, **wrong)


def test_accumulated_batches_give_the_gradient_of_their_mean() -> None:
    model = nn.Linear(4, 1)

    def loss(number: int) -> dict[str, torch.Tensor]:
        batch = torch.randn(8, 4, generator=torch.Generator().manual_seed(number))
        return {"loss": model(batch).square().mean()}

    settings = LoopSettings(steps=1, accumulate=4, gradient_clip=1e9)
    row = next(rehearse(model, loss, settings))
    torch.stack([loss(number)["loss"] for number in range(4)]).mean().backward()
    gradient = torch.cat([weight.grad.flatten() for weight in model.parameters()])
    assert row["gradient"] == pytest.approx(float(gradient.norm()), rel=1e-5)


def test_a_rehearsal_changes_no_weight() -> None:
    model = make_model()
    before = [weight.clone() for weight in model.parameters()]
    steps = list(rehearse(model, loss_of(model), replace(SETTINGS, steps=2)))
    assert len(steps) == 2
    assert all(map(torch.equal, before, model.parameters()))


def test_the_running_mean_keeps_the_share_of_itself_that_was_asked_for(tmp_path) -> None:
    model, steps = make_model(), []

    def keep() -> dict[str, float]:
        steps.append(model[0].weight.clone())
        return {}

    expected = model[0].weight.detach().clone()
    train(tmp_path / "plain", model, loss_of(model), replace(SETTINGS, evaluate_every=1), keep)
    for weight in steps:
        expected = 0.9 * expected + 0.1 * weight
    model = make_model()
    train(tmp_path / "mean", model, loss_of(model), replace(SETTINGS, ema=0.9))
    torch.testing.assert_close(weights(tmp_path / "mean")["0.weight"], expected)
    content = torch.load(tmp_path / "mean" / "checkpoint.pt", weights_only=True)
    assert torch.equal(content["masters"]["0.weight"], steps[-1])


def test_the_learning_rate_falls_by_a_cosine_from_all_to_its_last_share() -> None:
    settings = LoopSettings(
        steps=12, warmup_steps=2, learning_rate=1.0, final_learning_rate_share=0.2
    )
    found = [settings.learning_rate_at(step) for step in (0, 1, 2, 7, 12)]
    assert found == pytest.approx([0.5, 1.0, 1.0, 0.6, 0.2])


def test_another_seed_drops_other_units(tmp_path) -> None:
    made = []
    for seed in (1, 2):
        model = make_model()
        train(tmp_path / str(seed), model, loss_of(model), replace(SETTINGS, seed=seed))
        made.append(weights(tmp_path / str(seed))["0.weight"])
    assert not torch.equal(*made)


def test_every_so_many_steps_and_the_last_are_logged(tmp_path) -> None:
    model = make_model()
    train(tmp_path, model, loss_of(model), replace(SETTINGS, log_every=5))
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [5, 10, 12]


def test_samples_need_no_evaluation(tmp_path) -> None:
    model, folders = make_model(), list[str]()
    train(tmp_path, model, loss_of(model), SETTINGS, sample=lambda path: folders.append(path.name))
    assert folders[-1] == f"step-{SETTINGS.steps}"


def test_evaluations_see_the_running_mean_and_samples_get_a_folder(tmp_path) -> None:
    model = make_model()
    seen: list[torch.Tensor] = []

    def evaluate() -> dict[str, float]:
        seen.append(model[0].weight.clone())
        return {"validation": 1.0}

    def sample(folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "0.wav").write_bytes(b"")

    train(tmp_path, model, loss_of(model), replace(SETTINGS, ema=0.5), evaluate, sample)
    assert torch.equal(seen[-1], weights(tmp_path)["0.weight"])
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == [
        "step-12",
        "step-4",
        "step-8",
    ]


@pytest.mark.parametrize("said", ["CUDA out of memory. Tried to allocate", "can't allocate memory"])
def test_full_memory_stops_with_the_checkpoint_intact(tmp_path, said) -> None:
    model = make_model()
    good = loss_of(model)

    def loss(step: int) -> dict[str, torch.Tensor]:
        if step == 5:
            raise torch.OutOfMemoryError(said) if said.startswith("CUDA") else RuntimeError(said)
        return good(step)

    with pytest.raises(TrainingError, match=r"memory is full.*smaller batches"):
        train(tmp_path, model, loss, SETTINGS)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 5


def test_full_memory_in_a_rehearsal_speaks_of_no_checkpoint() -> None:
    model = make_model()

    def loss(step: int) -> dict[str, torch.Tensor]:
        raise MemoryError

    with pytest.raises(TrainingError, match="memory is full; take smaller batches") as caught:
        next(rehearse(model, loss, SETTINGS))
    assert "checkpoint in" not in str(caught.value)


def test_a_gradient_that_is_no_number_stops_before_any_weight_changes(tmp_path) -> None:
    model = nn.Linear(1, 1)

    def loss(step: int) -> dict[str, torch.Tensor]:
        # the root of 0 is 0 and its slope endless
        return {"loss": (model.weight * 0).abs().sqrt().sum()}

    before = model.weight.clone()
    with pytest.raises(TrainingError, match="the gradient is nan at step 0"):
        train(tmp_path, model, loss, SETTINGS)
    assert torch.equal(model.weight, before)


def test_an_endless_loss_stops_even_where_every_gradient_is_a_number(tmp_path) -> None:
    model = nn.Linear(1, 1)

    def loss(step: int) -> dict[str, torch.Tensor]:
        return {"loss": model.weight.sum() + float("inf")}

    with pytest.raises(TrainingError, match="the loss is inf at step 0"):
        train(tmp_path, model, loss, SETTINGS)


def test_a_rehearsed_step_is_drawn_by_the_seed_and_its_number() -> None:
    def values(seed: int) -> list[float]:
        model = make_model()
        settings = replace(SETTINGS, steps=3, seed=seed)
        return [row["loss"] for row in rehearse(model, lambda step: drawn(model), settings)]

    def drawn(model: nn.Module) -> dict[str, torch.Tensor]:
        return {"loss": model(torch.rand(2, 4)).square().mean()}

    assert values(0) == values(0)
    assert len({*values(0), *values(1)}) == 6


def test_a_rehearsal_draws_what_training_will_draw(tmp_path) -> None:
    model, settings = make_model(), replace(SETTINGS, steps=3, seed=2, log_every=1)

    def loss(_: int) -> dict[str, torch.Tensor]:
        return {"loss": torch.rand(()) + 0 * model[0].weight.sum()}

    rehearsed = [row["loss"] for row in rehearse(model, loss, settings)]
    train(tmp_path, model, loss, settings)
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    trained = [json.loads(line)["loss"] for line in lines]
    assert trained == pytest.approx(rehearsed, rel=1e-5)


def test_a_rehearsed_step_is_timed_from_its_beginning(monkeypatch) -> None:
    clock = iter(range(100, 200))
    fake = SimpleNamespace(monotonic=lambda: float(next(clock)))
    monkeypatch.setattr("mamtra.training.loop.time", fake)
    model = make_model()
    rows = list(rehearse(model, loss_of(model), replace(SETTINGS, steps=2)))
    assert [row["seconds"] for row in rows] == [1.0, 1.0]


def test_a_weight_without_a_gradient_keeps_no_other_from_learning(tmp_path) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    before = model[1].weight.clone()

    def loss(_: int) -> dict[str, torch.Tensor]:
        return {"loss": model[1](torch.ones(1, 2)).square().mean()}

    train(tmp_path, model, loss, replace(SETTINGS, steps=1))
    assert not torch.equal(before, model[1].weight)


def test_another_mistake_is_not_hidden(tmp_path) -> None:
    model = make_model()

    def loss(step: int) -> dict[str, torch.Tensor]:
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        train(tmp_path, model, loss, SETTINGS)


def test_a_log_that_was_cut_short_is_mended(tmp_path) -> None:
    model = make_model()
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, model, loss_of(model, stop_before=7), SETTINGS)
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write('{"step": 9, "loss": 1.0}\n{"step": 1')
    model = make_model()
    train(tmp_path, model, loss_of(model), SETTINGS)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, 13))


def test_scalars_go_to_tensorboard_if_asked_for(tmp_path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    model = make_model()
    train(tmp_path, model, loss_of(model), replace(SETTINGS, tensorboard=True))
    found = EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    assert [event.step for event in found.Scalars("loss")] == list(range(1, 13))


def test_the_log_keeps_the_digits_of_small_numbers(tmp_path) -> None:
    model = make_model()

    def loss(step: int) -> dict[str, torch.Tensor]:
        return {**loss_of(model)(step), "small": torch.tensor(1.23456789e-7)}

    train(tmp_path, model, loss, replace(SETTINGS, steps=1))
    (row,) = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert row["small"] == 1.23457e-7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_step_with_a_checkpoint_and_a_second_one_ends_at_once(
    tmp_path, number, request
) -> None:
    # a test run in the background ignores Ctrl-C
    before = signal.default_int_handler
    request.addfinalizer(partial(signal.signal, number, signal.signal(number, before)))
    model = make_model()
    good, times = loss_of(model), [1]

    def loss(step: int) -> dict[str, torch.Tensor]:
        if step == 3:
            for _ in range(times[0]):
                signal.raise_signal(number)
        return good(step)

    settings = replace(SETTINGS, checkpoint_seconds=1e9)
    with pytest.raises(KeyboardInterrupt, match="stopped at step 4; the same command goes on"):
        train(tmp_path, model, loss, settings)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 4
    assert signal.getsignal(number) == before
    times[0], model = 2, make_model()
    good = loss_of(model)
    with pytest.raises(KeyboardInterrupt) as caught:  # as the signal did before
        train(tmp_path / "twice", model, loss, settings)
    assert not caught.value.args


def test_a_run_in_the_background_ignores_ctrl_c_as_before(tmp_path, request) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    request.addfinalizer(partial(signal.signal, signal.SIGINT, before))
    model = make_model()
    good = loss_of(model)

    def loss(step: int) -> dict[str, torch.Tensor]:
        signal.raise_signal(signal.SIGINT)
        return good(step)

    train(tmp_path, model, loss, SETTINGS)
    assert (tmp_path / "model.safetensors").exists()
