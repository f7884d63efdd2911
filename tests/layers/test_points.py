"""LPSPointConv as a torch module: laws of points, and what modules have to survive."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lpsc_nd import CellPartition, LogPolarPartition, LPSPointConv, Neighborhood

PARTITION = LogPolarPartition(3, 0.5, num_levels=2, num_directions=(2, 4), growth=2.0)


def make(seed=0, num_points=30, **options):
    """Return a layer, points, and values on them."""
    generator = torch.Generator().manual_seed(seed)
    layer = LPSPointConv(4, 6, PARTITION, dtype=torch.float64, **options)
    points = torch.rand(num_points, 3, generator=generator, dtype=torch.float64)
    return layer, points, torch.randn(num_points, 4, generator=generator, dtype=torch.float64)


def neighborhood_of(points, queries=None):
    return Neighborhood.build(PARTITION, points, queries)


@pytest.mark.parametrize("reduction", ["mean", "sum", "max"])
@given(seed=st.integers(0, 2**31), num_points=st.integers(1, 40))
def test_the_order_of_points_does_not_matter(reduction, seed, num_points):
    layer, points, x = make(seed, num_points, reduction=reduction)
    y = layer(x, neighborhood_of(points))
    order = torch.randperm(num_points, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(layer(x[order], neighborhood_of(points[order])), y[order])
    queries = layer(x, neighborhood_of(points, points[order]))
    torch.testing.assert_close(queries, y[order])


@given(seed=st.integers(0, 2**31))
def test_a_constant_gives_the_sum_of_the_weights_that_are_seen(seed):
    layer, points, _ = make(seed)
    neighborhood = neighborhood_of(points)
    y = layer(torch.full((30, 4), 3.0, dtype=torch.float64), neighborhood)
    seen = (neighborhood.counts > 0).double()
    expected = 3 * (seen @ layer.weight.sum(1).T + layer.center_weight.sum(1)) + layer.bias
    torch.testing.assert_close(y, expected)


@given(seed=st.integers(0, 2**31))
def test_a_duplicate_counts_twice(seed):
    layer, points, x = make(seed, reduction="sum")
    doubled = torch.cat([points, points[:1]])
    queries = points[1:]
    y = layer(torch.cat([x, x[:1]]), neighborhood_of(doubled, queries))
    heavier = x.clone()
    heavier[0] *= 2
    torch.testing.assert_close(y, layer(heavier, neighborhood_of(points, queries)))


def test_a_query_without_neighbours_gives_the_centre_and_the_bias_or_the_bias():
    layer, _, x = make(num_points=2)
    points = torch.tensor([[0.0, 0.0, 0.0], [9.0, 9.0, 9.0]])
    queries = torch.cat([points[:1], torch.tensor([[5.0, 0.0, 0.0]])])
    y = layer(x, neighborhood_of(points, queries))
    torch.testing.assert_close(y, torch.stack([layer.center_weight @ x[0] + layer.bias, layer.bias]))


def test_no_points_and_no_queries_give_empty_results():
    layer, points, x = make()
    assert layer(x, neighborhood_of(points, points[:0])).shape == (0, 6)
    y = layer(x[:0], neighborhood_of(points[:0], points))
    torch.testing.assert_close(y, layer.bias.expand(30, 6))
    nothing = x[:0].clone().requires_grad_()
    layer(nothing, neighborhood_of(points[:0])).sum().backward()
    assert nothing.grad.shape == (0, 4)


def test_with_cells_it_is_an_ordinary_kernel_on_points():
    points = torch.stack(torch.meshgrid(*[torch.arange(5.0)] * 2, indexing="ij"), -1).view(-1, 2)
    layer = LPSPointConv(2, 3, CellPartition((3, 3)), center=False)
    x = torch.randn(25, 2)
    kernel = layer.weight.unflatten(-1, (3, 3))
    expected = torch.nn.functional.conv2d(x.T.view(1, 2, 5, 5), kernel, layer.bias, padding=1)
    y = layer(x, Neighborhood.build(layer.partition, points))
    torch.testing.assert_close(y, expected[0].flatten(1).T)


def test_training_lowers_the_loss():
    layer, points, x = make()
    neighborhood, target = neighborhood_of(points), torch.randn(30, 6, dtype=torch.float64)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = (layer(x, neighborhood) - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


def through_pickle(layer):
    return pickle.loads(pickle.dumps(layer))


def through_save(layer):
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def through_meta(layer):
    empty = LPSPointConv(4, 6, PARTITION, device="meta", dtype=torch.float64).to_empty(device="cpu")
    empty.load_state_dict(layer.state_dict())
    return empty


@pytest.mark.parametrize("copied", [copy.deepcopy, through_pickle, through_save, through_meta])
def test_a_copy_computes_the_same(copied):
    layer, points, x = make()
    neighborhood = neighborhood_of(points)
    y = layer(x, neighborhood)
    other = copied(layer)
    assert torch.equal(other(x, neighborhood), y)
    assert other.weight is not layer.weight
    assert torch.equal(other(x, copied(neighborhood) if copied is not through_meta else neighborhood), y)


def test_a_state_dict_holds_the_parameters_alone():
    layer, _, _ = make()
    assert list(layer.state_dict()) == ["weight", "center_weight", "bias"]
    assert [tuple(p.shape) for p in layer.parameters()] == [(6, 4, 16), (6, 4), (6,)]
    bare, _, _ = make(center=False, bias=False, groups=2)
    assert {name: tuple(p.shape) for name, p in bare.named_parameters()} == {"weight": (6, 2, 16)}


def test_a_state_dict_of_another_shape_leaves_the_layer_as_it_was():
    layer, _, _ = make()
    before = copy.deepcopy(layer.state_dict())
    wrong = {**layer.state_dict(), "bias": torch.zeros(6), "weight": torch.zeros(6, 4, 15)}
    with pytest.raises(RuntimeError, match="size mismatch for weight"):
        layer.load_state_dict(wrong)
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


def test_parameters_are_drawn_within_the_bound_of_their_fan():
    layer = LPSPointConv(64, 64, PARTITION, groups=4)
    bound = 1 / np.sqrt(64 / 4 * (16 + 1))
    for parameter in layer.parameters():
        assert parameter.abs().max() <= bound
        assert parameter.abs().max() > 0.8 * bound
    torch.manual_seed(0)
    layer.reset_parameters()
    first = layer.weight.clone()
    torch.manual_seed(0)
    layer.reset_parameters()
    assert torch.equal(layer.weight, first)


def test_a_cast_layer_takes_and_gives_its_type():
    layer, points, x = make()
    y = layer(x, neighborhood_of(points))
    half = layer.to(torch.bfloat16)(x.bfloat16(), neighborhood_of(points))
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.double(), y, rtol=0.1, atol=0.1)


def test_repr_tells_what_differs_from_the_defaults():
    assert repr(make()[0]) == f"LPSPointConv(4, 6, partition={PARTITION!r})"
    changed = make(groups=2, bias=False, center=False, reduction="sum", engine="reference")[0]
    text = "LPSPointConv(4, 6, groups=2, bias=False, center=False, reduction='sum', engine='reference', partition="
    assert repr(changed).startswith(text)


def test_layers_on_one_neighborhood_share_its_arrangement():
    from lpsc_nd.pooling import point_plan

    layer, points, x = make()
    neighborhood = neighborhood_of(points)
    layer(x, neighborhood)
    kept = point_plan._plans[neighborhood.indices]
    make(seed=1)[0](x, neighborhood)
    assert len(kept) == 1


@pytest.mark.parametrize("engine", ["bags", "reference"])
def test_another_default_device_is_of_no_account(engine):
    torch.manual_seed(0)
    points, x = torch.rand(30, 3), torch.randn(30, 4, requires_grad=True)
    partition = LogPolarPartition(3, radius=0.3, num_levels=1, num_directions=(2, 4), growth=2.0)
    neighborhood, layer = Neighborhood.build(partition, points), LPSPointConv(4, 2, partition, engine=engine)
    expected = layer(x, neighborhood)
    with torch.device("meta"):
        y = layer(x, neighborhood)
        torch.autograd.grad(y.sum(), [x, *layer.parameters()])
    assert torch.equal(y, expected)
