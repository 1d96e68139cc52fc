"""The compiled step time against its Python form and against the written-out sum of its terms."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.latency_models import any_step, bits

from workloadlab.latency import Domain, LatencyModel
from workloadlab.latency.domain_kernel import inside_domain
from workloadlab.latency.estimators.evaluate import evaluate
from workloadlab.latency.estimators.linear import TERMS, design_matrix
from workloadlab.latency.estimators.linear_kernel import step_time

any_steps = any_step(prefill=20_000, cached=100_000, seqs=2000)
coefficients = st.lists(
    st.one_of(st.just(0.0), st.floats(1e-12, 1e-2)), min_size=len(TERMS), max_size=len(TERMS)
).map(lambda values: dict(zip(TERMS, values, strict=True)))


@given(coefficients, any_steps)
def test_python_and_compiled_give_the_same_bits(terms, step) -> None:
    kernel, table = LatencyModel(name="m", coefficients=terms).kernel()
    assert kernel is step_time
    assert bits(kernel(*step, table)) == bits(kernel.py_func(*step, table))
    assert bits(kernel(*step, table)) == bits(evaluate(step_time, np.array([step]), table)[0])


@given(coefficients, any_steps)
def test_a_file_keeps_the_bits(terms, step) -> None:
    model = LatencyModel(name="m", coefficients=terms)
    loaded = LatencyModel.from_dict(json.loads(json.dumps(model.to_dict())))
    (kernel, table), (_, again) = model.kernel(), loaded.kernel()
    assert bits(kernel(*step, table)) == bits(kernel(*step, again))


@given(coefficients, any_steps)
def test_the_kernel_is_the_sum_of_the_terms(terms, step) -> None:
    """The table folds the terms of total tokens into a curve; the sum of all terms is the twin."""
    kernel, table = LatencyModel(name="m", coefficients=terms).kernel()
    row = design_matrix(np.array([step]))[0]
    twin = math.fsum(value * terms[name] for name, value in zip(TERMS, row, strict=True))
    # Folding subtracts slope x knot from intercepts, so errors scale with the largest such product.
    scale = max(terms.values()) * max(1.0, *step, 8192.0)
    assert kernel(*step, table) == pytest.approx(twin, rel=1e-9, abs=1e-12 * scale)


@given(coefficients, any_steps, st.integers(0, 3))
def test_more_work_never_takes_less_time(terms, step, axis) -> None:
    """Within one kind of step: more cached context, more sequences or a longer chunk."""
    prefill, cached, seqs, context = step
    if (axis < 2 and prefill == 0) or (axis > 1 and seqs == 0):
        return
    kernel, table = LatencyModel(name="m", coefficients=terms).kernel()
    mean_cached = cached / prefill if prefill else 0.0
    mean_context = context / seqs if seqs else 0.0
    grown = {
        0: (prefill + 1, (prefill + 1) * mean_cached, seqs, context),
        1: (prefill, cached + prefill, seqs, context),
        2: (prefill, cached, seqs + 1, (seqs + 1) * mean_context),
        3: (prefill, cached, seqs, context + seqs),
    }[axis]
    before, after = kernel(*step, table), kernel(*grown, table)
    assert after >= before * (1 - 1e-9) - 1e-12


@given(st.lists(any_steps, min_size=1, max_size=20), st.lists(any_steps, min_size=1, max_size=20))
def test_the_compiled_domain_check_equals_the_readable_one(seen, asked) -> None:
    domain = Domain.of(np.array(seen))
    bounds = domain.bounds()
    expected = domain.contains(np.array(asked)).tolist()
    assert [inside_domain(*step, bounds) for step in asked] == expected
    assert domain.contains(np.array(seen)).all()
