"""The decoder in PyTorch on a CPU: a tiny geometry; skipped where PyTorch is not installed."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra: measure)")

from workloadlab.errors import UsageError  # noqa: E402
from workloadlab.latency import ModelGeometry, read_samples  # noqa: E402
from workloadlab.latency.measurement import Limits, Shape, measure  # noqa: E402
from workloadlab.latency.measurement.decoder import Decoder  # noqa: E402
from workloadlab.latency.measurement.timing import TorchTimer, tiny  # noqa: E402

DENSE = ModelGeometry.named("Llama-3.1-8B")
EXPERTS = ModelGeometry.named("Qwen3-30B-A3B")


def decoder(geometry):
    return Decoder(tiny(geometry), torch.float32, torch.device("cpu"))


@pytest.mark.parametrize("geometry", [DENSE, EXPERTS])
@pytest.mark.parametrize(
    "shape", [Shape(16, 0, 0, 0), Shape(16, 32, 0, 0), Shape(0, 0, 3, 20), Shape(8, 8, 2, 40)]
)
def test_a_step_samples_one_token_per_prompt_and_sequence(geometry, shape):
    with torch.inference_mode():
        tokens = decoder(geometry).step(shape)()
    assert tokens.shape == ((shape.prefill_tokens > 0) + shape.decode_seqs,)
    assert 0 <= int(tokens.min()) <= int(tokens.max()) < 256


def test_attention_of_a_chunk_sees_its_cached_tokens_and_itself_causally():
    made = decoder(DENSE)
    torch.manual_seed(0)
    query, past = torch.randn(4, 4, 16), torch.randn(2, 2, 10, 16)
    ours = made._prefill(query, past, Shape(4, 6, 0, 0)).view(4, 4, 16)
    for token in range(4):
        for head in range(4):
            keys, values = past[0, head // 2, : 7 + token], past[1, head // 2, : 7 + token]
            seen = torch.softmax(keys @ query[token, head] / 4.0, 0) @ values
            torch.testing.assert_close(ours[token, head], seen)


def test_every_row_goes_to_its_number_of_experts():
    made = decoder(EXPERTS)
    for rows in (1, 3, 8):
        counts = torch.bincount(made._even_experts(rows).reshape(-1), minlength=rows)
        assert int(counts.min()) >= made.geometry.experts_per_token


def test_measure_runs_a_tiny_geometry_on_a_cpu_and_says_so(tmp_path):
    limits = Limits(seqs=2, chunk_tokens=16, context_tokens=64)
    table = measure(DENSE, tmp_path / "s.parquet", device="cpu", limits=limits, refine=2)
    assert set(table["gpu"]) == {"cpu"}
    assert set(table["model"]) == {"tiny stand-in for meta-llama/Llama-3.1-8B"}
    assert read_samples(tmp_path / "s.parquet").equals(table)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"dtype": "int3"}, "int3"), ({"device": "tpu"}, "tpu")],
)
def test_unknown_options_are_refused(options, words):
    with pytest.raises(UsageError, match=words):
        TorchTimer.on(DENSE, **{"dtype": "bf16", "device": "cpu"} | options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_missing_gpu_is_told():
    with pytest.raises(UsageError, match="sees no GPU"):
        TorchTimer.on(DENSE, dtype="bf16", device="cuda")
