"""The point engines against a loop over the bags and against each other: values, precision, blocking, layouts."""

import numpy as np
import pytest
import torch
from hypothesis import given

from lpsc_nd import Neighborhood
from lpsc_nd.functional import lps_point_conv
from lpsc_nd.pooling import point_bags
from lpsc_nd.testing import brute_force_point_conv, point_cases, random_neighborhood, random_point_case

ENGINES = ["reference", "bags"]


def fixed_case(*, size=(5, 4, 3), channels=(4, 2), **options):
    num_queries, num_sources, num_regions = size
    counts = np.random.default_rng(1).integers(0, 3, (num_queries, num_regions))
    return random_point_case(2, counts, num_sources, channels, **options)


def large_case():
    return fixed_case(size=(700, 500, 7), channels=(16, 24), dtype=torch.float32)


def one_bag(*sources):
    indices = torch.tensor(sources, dtype=torch.int64)
    return Neighborhood(torch.tensor([0, len(sources)]), indices, torch.tensor([-1]), num_sources=3, num_regions=1)


def assert_all_close(found, expected, tolerance=1e-9):
    """Check two lists of tensors, in order."""
    assert len(found) == len(expected)
    for got, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=tolerance, atol=tolerance)


def test_a_wrong_tensor_or_a_missing_one_is_noticed():
    values = [torch.ones(2), torch.zeros(3)]
    assert_all_close(values, values)
    for wrong in ([torch.ones(2), torch.full((3,), 1e-3)], values[:1], [torch.ones(3), torch.zeros(3)]):
        with pytest.raises(AssertionError):
            assert_all_close(values, wrong)


def test_the_loop_is_right_where_it_can_be_done_by_hand():
    case = fixed_case(size=(1, 2, 1), channels=(1, 1))
    case.neighborhood = random_neighborhood(np.array([[2]]), 2, np.random.default_rng(0), centers=np.array([1]))
    case.neighborhood.indices[:] = torch.tensor([0, 1])
    case.x = torch.tensor([[2.0], [6.0]], dtype=torch.float64)
    case.parameters = {
        "weight": torch.tensor([[[10.0]]]), "center_weight": torch.tensor([[100.0]]), "bias": torch.tensor([1000.0])
    }  # fmt: skip
    case.options = {"groups": 1}
    assert brute_force_point_conv(case).tolist() == [[10 * 4 + 100 * 6 + 1000]]
    case.options = {"groups": 1, "region_sizes": [4]}
    assert brute_force_point_conv(case).tolist() == [[10 * 2 + 100 * 6 + 1000]]


@pytest.mark.parametrize("engine", ENGINES)
@given(case=point_cases())
def test_engines_equal_the_loop(engine, case):
    torch.testing.assert_close(case.run(engine), brute_force_point_conv(case), rtol=1e-9, atol=1e-9)


@given(case=point_cases(reductions=("max",)))
def test_the_maximum_equals_the_loop(case):
    torch.testing.assert_close(case.run("auto"), brute_force_point_conv(case), rtol=1e-9, atol=1e-9)


@given(case=point_cases())
def test_engines_have_the_gradients_of_the_reference(case):
    assert_all_close(case.run_and_differentiate("bags"), case.run_and_differentiate("reference"))


@given(case=point_cases(dtype=torch.float32))
def test_single_precision_equals_double(case):
    found = [tensor.double() for tensor in case.run_and_differentiate("bags")]
    assert_all_close(found, case.to(torch.float64).run_and_differentiate("reference"), 1e-4)


@pytest.mark.parametrize("elements", [1, 2**5, 2**30])
@given(case=point_cases())
def test_any_blocking_gives_the_same_numbers(elements, case):
    expected = case.run_and_differentiate("bags")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(point_bags, "BLOCK_ELEMENTS", elements)
        assert_all_close(case.run_and_differentiate("bags"), expected)


@pytest.mark.parametrize("most", [0, 3 * 4 * 30, 2**30])
@pytest.mark.parametrize("size", [(60, 3, 4), (3, 60, 4)])
def test_what_is_mixed_first_is_what_is_pooled_first(size, most, monkeypatch):
    calls = []
    original = point_bags._mix_then_sum
    monkeypatch.setattr(point_bags, "MIXED_ELEMENTS", most)
    monkeypatch.setattr(point_bags, "LEAST_CHANNELS", 2)
    monkeypatch.setattr(point_bags, "_mix_then_sum", lambda *given: calls.append(given[-1]) or original(*given))
    case = fixed_case(size=size, channels=(12, 12))
    assert_all_close(case.run_and_differentiate("bags"), case.run_and_differentiate("reference"))
    assert calls == ([most // (3 * 5)] if most else [])


@pytest.mark.parametrize(("values", "largest"), [([-3.0, -torch.inf, -2.0], -2.0), ([-torch.inf] * 3, -torch.inf)])
def test_the_maximum_of_negative_and_infinite_values(values, largest):
    x = torch.tensor(values).view(3, 1)
    assert lps_point_conv(x, one_bag(0, 1, 2), torch.ones(1, 1, 1), reduction="max").item() == largest
    assert lps_point_conv(x, one_bag(), torch.ones(1, 1, 1), reduction="max").item() == 0


@pytest.mark.parametrize("reduction", ["mean", "sum", "max"])
@pytest.mark.parametrize("engine", ENGINES)
def test_nan_goes_only_where_its_source_is_seen(engine, reduction):
    if (engine, reduction) == ("bags", "max"):
        engine = "auto"
    indptr, indices, centers = torch.tensor([0, 1, 2, 2]), torch.tensor([1, 2]), torch.tensor([-1, 1, 0])
    neighborhood = Neighborhood(indptr, indices, centers, num_sources=3, num_regions=1)
    x = torch.tensor([[torch.nan], [1.0], [torch.nan]])
    weights = torch.ones(1, 1, 1), torch.ones(1, 1)
    y = lps_point_conv(x, neighborhood, *weights, reduction=reduction, engine=engine)
    assert y.isnan().flatten().tolist() == [False, True, True]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_sums_in_float32(dtype):
    case = fixed_case(size=(20, 40, 6), channels=(8, 8), dtype=dtype)
    y = case.run("bags")
    assert y.dtype == dtype
    torch.testing.assert_close(
        y.double(), case.to(torch.float64).run("reference"), rtol=torch.finfo(dtype).eps, atol=1e-5
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_gives_the_type_of_a_linear_layer(engine, dtype):
    case = fixed_case(dtype=torch.float32)
    leaves = [leaf.requires_grad_() for leaf in case.leaves]
    with torch.autocast("cpu", dtype=dtype):
        y, expected = case.run(engine), torch.nn.functional.linear(case.x, torch.randn(2, 4))
    assert y.dtype == expected.dtype == dtype
    gradients = torch.autograd.grad(y.float().sum(), leaves)
    assert all(gradient.dtype == torch.float32 for gradient in gradients)


def test_repeated_runs_are_equal_to_the_bit():
    first, second = (large_case().run_and_differentiate("bags") for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_two_threads_give_the_same_numbers(on_threads):
    expected = large_case().run_and_differentiate("bags")
    with on_threads(2):
        assert_all_close(large_case().run_and_differentiate("bags"), expected, 1e-5)


def test_values_in_any_layout_give_the_same():
    case = large_case()
    expected = case.run("bags")
    case.x = case.x.T.contiguous().T
    torch.testing.assert_close(case.run("bags"), expected)
    case.x = torch.stack([case.x, case.x], dim=-1)[..., 0]
    torch.testing.assert_close(case.run("bags"), expected)


def test_a_neighborhood_made_in_inference_mode_serves_there():
    with torch.inference_mode():
        case = fixed_case()
        torch.testing.assert_close(case.run("bags"), case.run("reference"))


def test_meta_tensors_give_the_shape():
    case = fixed_case()
    neighborhood = case.neighborhood.to("meta")
    parameters = {name: value.to("meta") for name, value in case.parameters.items()}
    y = lps_point_conv(case.x.to("meta"), neighborhood, **parameters, **case.options)
    assert (y.shape, y.device.type) == ((5, 2), "meta")


def test_a_neighborhood_without_regions_gives_centre_and_bias():
    empty, x = torch.zeros(0, dtype=torch.int64), torch.tensor([[1.0, 2.0]])
    neighborhood = Neighborhood(torch.zeros(1, dtype=torch.int64), empty, torch.tensor([0, -1]), 1, 0)
    weights = torch.zeros(1, 2, 0), torch.ones(1, 2), torch.tensor([10.0])
    for engine in ENGINES:
        assert lps_point_conv(x, neighborhood, *weights, engine=engine).tolist() == [[13.0], [10.0]]
        assert lps_point_conv(x, neighborhood, weights[0], None, weights[2], engine=engine).tolist() == [[10.0]] * 2
        assert lps_point_conv(x, neighborhood, weights[0], engine=engine).tolist() == [[0.0]] * 2
