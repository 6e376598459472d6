"""Flow matching: the loss falls to nothing for a perfect velocity, and steps follow it."""

import torch
from torch import Tensor

from mamtra.acoustic.flow_matching import flow, flow_loss
from mamtra.acoustic.flow_times import cosine_times
from mamtra.acoustic.velocity import Condition, Velocity, VelocityConfig

CONFIG = VelocityConfig(
    bins=8, speaker_bins=4, dim=12, heads=2, head_dim=6, blocks=1, middle=1, chunk_frames=8
)


def conditions(rows: int, time: int) -> Condition:
    return Condition(
        content=torch.ones(rows, time, dtype=torch.bool),
        mean=torch.randn(rows, 8, time),
        speaker=torch.randn(rows, 4),
        given=torch.zeros(rows, 8, time),
    )


def straight(point: Tensor, time: Tensor, known: Condition, *, chunked: bool) -> Tensor:
    """A velocity that is the mean itself, so zero where nothing is told."""
    return known.mean


def test_times_run_from_zero_to_one_and_start_slowly() -> None:
    times = cosine_times(10)
    assert times[0] == 0
    assert abs(times[-1] - 1) < 1e-12
    assert times[1] < 0.02


def test_guidance_pushes_away_from_the_unconditional() -> None:
    known, noise = conditions(2, 5), torch.randn(2, 8, 5)
    plain = flow(straight, noise, known, steps=3, guidance=0.0)
    pushed = flow(straight, noise, known, steps=3, guidance=0.7)
    torch.testing.assert_close(plain, noise + known.mean)
    torch.testing.assert_close(pushed, noise + 1.7 * known.mean)


def test_rows_of_different_lengths_do_not_mix() -> None:
    torch.manual_seed(0)
    velocity, known = Velocity(CONFIG).eval(), conditions(2, 9)
    known.content[0, 6:] = False
    noise = torch.randn(2, 8, 9)
    both = flow(velocity, noise, known, steps=2)
    alone = Condition(
        content=known.content[:1, :6],
        mean=known.mean[:1, :, :6],
        speaker=known.speaker[:1],
        given=known.given[:1, :, :6],
    )
    found = flow(velocity, noise[:1, :, :6], alone, steps=2)
    torch.testing.assert_close(both[:1, :, :6], found, rtol=1e-5, atol=1e-5)


def test_the_velocity_learns_from_the_loss() -> None:
    torch.manual_seed(0)
    velocity, known = Velocity(CONFIG), conditions(4, 12)
    optimizer = torch.optim.Adam(velocity.parameters(), lr=1e-2)
    losses = []
    for _ in range(12):
        torch.manual_seed(0)
        loss = flow_loss(velocity, known.mean, known)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]
