"""Compiled passes with parts left out, and what their times say."""

import pytest
import torch

from benchmarks.cases import CASES
from benchmarks.kernel_variants import VARIANTS, forward_runs, gradient_runs, is_compiled, variants
from benchmarks.kernels import main, row
from benchmarks.samples import Samples
from lpsc_nd.pooling.compiled_layout import KERNELS, by_bag
from lpsc_nd.pooling.compiled_pass import compiled_pass

needs_kernels = pytest.mark.skipif(KERNELS is None, reason="no kernels were compiled for this processor")


@needs_kernels
@pytest.mark.parametrize("name", ["conv2d-9x9-16", "depthwise2d-31x31-64"])
def test_every_variant_of_every_pass_runs(name):
    case = CASES[name]
    assert is_compiled(case)
    for runs in (forward_runs(case), gradient_runs(case)):
        assert list(runs) == list(VARIANTS)
        for run in runs.values():
            run()


@needs_kernels
def test_variants_leave_out_what_they_say():
    window, x = CASES["conv2d-9x9-16"].layer().window, torch.randn(1, 16, 12, 12)
    weights, found = by_bag(torch.randn(16, 16, window.num_bags), (2, 1, 0)), {}
    for variant, each in variants(compiled_pass("mixed", window, (1, 1), x)).items():
        found[variant] = torch.empty(1, 16, 12, 12)
        each.run(x, weights, torch.arange(16.0), found[variant])
    bias = torch.arange(16.0).view(1, 16, 1, 1).expand(1, 16, 12, 12)
    torch.testing.assert_close(found["without sums"], bias)
    torch.testing.assert_close(found["without bags"], bias)
    assert not torch.allclose(found["whole"], bias)
    assert not torch.allclose(found["whole"], found["at best"])


@pytest.mark.usefixtures("without_kernels")
def test_without_kernels_nothing_is_compiled():
    assert not any(map(is_compiled, CASES.values()))


def test_a_row_has_the_parts_and_both_ratios():
    times = {"dense": 8e-3, "whole": 4e-3, "at best": 2e-3, "without sums": 3e-3, "without bags": 1e-3}
    samples = Samples({f"{name}, default": [seconds] for name, seconds in times.items()})
    written = row(CASES["conv2d-9x9-16"], samples, samples)
    assert [written[f"{name} ms"] for name in ("dense", "pass", "table and output", "product", "sums")] == [
        "8", "4", "1", "2", "1",
    ]  # fmt: skip
    assert (written["x dense (fwd)"], written["best (fwd)"], written["best (fwd+bwd)"]) == ("2.00", "4.00", "4.00")
    assert row(CASES["conv2d-9x9-16"], samples)["best (fwd+bwd)"] == "–"


@needs_kernels
def test_the_command_prints_a_case(capsys):
    assert main(["--case", "smoke", "--seconds", "0.1"]) == 0
    assert "sums" in capsys.readouterr().out
