"""Only one pooled matrix is alive at a time, so that all lie in the same memory, which stays in cache."""

from __future__ import annotations

import weakref

import pytest
import torch
from torch.testing import assert_close

from lpsc_nd import LogPolarPartition, LPSConv2d, LPSPointConv, Neighborhood
from lpsc_nd.pooling import bags, plan, point_bags, side_by_side, site_by_site, transposed, whole_images
from lpsc_nd.pooling.folding import fold


class Watch:
    """Counts sums of bags, and how many of their results are alive when the next one is made."""

    def __init__(self, run):
        self.run, self.results, self.most, self.calls = run, [], 0, 0

    def __call__(self, *arguments):
        self.calls += 1
        self.most = max(self.most, sum(result() is not None for result in self.results))
        result = self.run(*arguments)
        self.results.append(weakref.ref(result.untyped_storage()))
        return result


def watch(monkeypatch, module, name="sum_bags") -> Watch:
    found = Watch(getattr(module, name))
    monkeypatch.setattr(module, name, found)
    return found


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(plan, "TILE_ELEMENTS", 2**11)
    monkeypatch.setattr(plan, "TILE_SITES", (4, 64))
    monkeypatch.setattr(whole_images, "POOLED_ELEMENTS", 2**11)
    monkeypatch.setattr(side_by_side, "POOLED_ELEMENTS", 2**11)
    monkeypatch.setattr(site_by_site, "POOLED_ELEMENTS", 2**11)
    for made in (plan.plan, plan.transposed_plan):
        made.cache_clear()
    yield
    for made in (plan.plan, plan.transposed_plan):
        made.cache_clear()


@pytest.fixture
def layer() -> LPSConv2d:
    return LPSConv2d(16, 16, 5, padding=2, num_directions=4)


@torch.no_grad()
@pytest.mark.parametrize("way", ["tiles", "whole images", "side by side", "site by site"])
@pytest.mark.parametrize("part", ["conv", "weight_grad", "input_grad", "both_grads"])
def test_passes_of_the_bag_engine(monkeypatch, small_tiles, layer, way, part):
    monkeypatch.setattr(bags, "cheapest_way", lambda *arguments: way)
    monkeypatch.setattr(bags, "mixes_first", lambda *arguments: False)
    monkeypatch.setattr(bags, "grads_apart", lambda *arguments: way == "site by site")  # which has no way together
    seen = watch(
        monkeypatch,
        {"tiles": bags, "whole images": whole_images, "side by side": side_by_side, "site by site": site_by_site}[way],
    )
    x, gy = torch.randn(3, 16, 12, 12), torch.randn(3, 16, 12, 12)
    weight = fold(layer.weight, layer.center_weight, layer.stencil, "mean", torch.float32)
    {
        "conv": lambda: bags.conv(x, weight, None, layer.window, 1),
        "weight_grad": lambda: bags.weight_grad(x, gy, layer.window, 1),
        "input_grad": lambda: bags.input_grad(gy, weight, layer.window, 1, [12, 12]),
        "both_grads": lambda: bags.both_grads(x, gy, weight, layer.window, 1),
    }[part]()
    assert seen.calls > 2
    assert seen.most == 0


@torch.no_grad()
def test_mixing_first(monkeypatch, small_tiles, layer):
    monkeypatch.setattr(bags, "cheapest_way", lambda *arguments: "tiles")
    monkeypatch.setattr(bags, "mixes_first", lambda *arguments: True)
    seen = watch(monkeypatch, transposed)
    weight = fold(layer.weight, layer.center_weight, layer.stencil, "mean", torch.float32)
    bags.conv(torch.randn(3, 16, 12, 12), weight, None, layer.window, 1)
    assert seen.calls > 2
    assert seen.most == 0


def test_points(monkeypatch):
    monkeypatch.setattr(point_bags, "BLOCK_ELEMENTS", 2**11)
    seen = watch(monkeypatch, point_bags, "_sum_bags")
    points = torch.rand(200, 3)
    partition = LogPolarPartition(3, radius=0.4, num_levels=2, num_directions=6, growth=2.0)
    layer = LPSPointConv(16, 16, partition, engine="bags")
    x = torch.randn(200, 16, requires_grad=True)
    layer(x, Neighborhood.build(partition, points)).sum().backward()
    assert seen.calls > 4
    assert seen.most == 0


@torch.no_grad()
def test_a_watch_sees_what_is_held():
    seen = Watch(lambda: torch.zeros(3))
    held = [seen() for _ in range(3)]
    assert (seen.calls, seen.most, len(held)) == (3, 2, 3)
    assert_close(held[0], held[1])
