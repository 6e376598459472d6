"""The forms of a decoder with a flow, measured at toy size."""

import pytest
import torch

pytest.importorskip("onnx")
from mamtra.benchmark.flow import measure
from mamtra.benchmark.flow_stream import measure as measure_stream
from mamtra.errors import ConfigError


def test_every_form_is_near_float32_and_costs_something() -> None:
    threads = torch.get_num_threads()
    results = measure("toy", 0.4, 0.2, 1, 1, seed=0)
    torch.set_num_threads(threads)
    assert results["onnx float32"]["relative_error"] == 0
    assert results["torch float32"]["relative_error"] < 1e-4
    assert 0 < results["torch bfloat16"]["relative_error"] < 0.1
    assert all(form["cpu_seconds"] > 0 for form in results.values())
    assert "onnx float32, 1 steps" in results


def test_a_stream_with_states_costs_less_after_its_prompt() -> None:
    threads = torch.get_num_threads()
    whole, states = measure_stream("toy", 4.0, 2.0, 1, 300, seed=0).values()
    torch.set_num_threads(threads)
    assert states["relative_error"] < 1e-4
    assert states["state_bytes"] > whole["state_bytes"] == 0
    assert states["cpu_seconds_of_prompt"] > whole["cpu_seconds_of_prompt"]
    with pytest.raises(ConfigError, match="no decoder with a flow"):
        measure_stream("chatterbox", 1.0, 0.0, 1, 5, seed=0)


def test_a_model_without_a_flow_is_refused() -> None:
    with pytest.raises(ConfigError, match="no decoder with a flow"):
        measure("chatterbox", 1.0, 0.0, 1, 5, seed=0)
