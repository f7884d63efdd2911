"""Point layers in compiled and exported graphs."""

import pytest
import torch
from torch import nn

from lpsc_nd import LogPolarPartition, LPSPointConv, Neighborhood

PARTITION = LogPolarPartition(3, 0.4, 2, (2, 4), 2.0)
SIZES = ((40, 20), (50, 30), (30, 30))


def clouds():
    """Yield neighbourhoods of several sizes with values for them."""
    generator = torch.Generator().manual_seed(0)
    for num_sources, num_queries in SIZES:
        points = torch.rand(num_sources + num_queries, 3, generator=generator)
        neighborhood = Neighborhood.build(PARTITION, points[:num_sources], points[num_sources:])
        yield neighborhood, torch.randn(num_sources, 4, generator=generator, requires_grad=True)


def check_compiled(backend, dynamic, **options):
    """Assert that a whole compiled graph gives the layer's numbers and gradients at every size."""
    torch.compiler.reset()
    layer = LPSPointConv(4, 6, PARTITION, **options)
    compiled = torch.compile(layer, fullgraph=True, dynamic=dynamic, backend=backend)
    for neighborhood, x in clouds():
        y, expected = compiled(x, neighborhood), layer(x, neighborhood)
        torch.testing.assert_close(y, expected)
        leaves, cotangent = [x, *layer.parameters()], torch.randn_like(y)
        gradients = (torch.autograd.grad(result, leaves, cotangent) for result in (y, expected))
        for ours, wanted in zip(*gradients, strict=True):
            torch.testing.assert_close(ours, wanted)


VARIANTS = {
    "mean": {},
    "grid": {"normalize": "grid", "region_sizes": range(16), "center": False},
    "groups, sum": {"groups": 2, "reduction": "sum", "bias": False},
    "maximum": {"reduction": "max"},
    "reference": {"engine": "reference"},
}


@pytest.mark.parametrize("dynamic", [pytest.param(False, marks=pytest.mark.slow), True])
@pytest.mark.parametrize("name", VARIANTS)
def test_a_compiled_graph_is_whole_and_gives_the_same(name, dynamic):
    check_compiled("aot_eager", dynamic, **VARIANTS[name])


@pytest.mark.slow
# inductor's own
@pytest.mark.filterwarnings("ignore:`torch.jit.* is deprecated:DeprecationWarning")
@pytest.mark.parametrize("dynamic", [False, True])
def test_an_inductor_graph_is_whole_and_gives_the_same(dynamic):
    check_compiled("inductor", dynamic)


def test_one_graph_serves_all_sizes():
    torch.compiler.reset()
    graphs = []

    def count(graph, inputs):
        graphs.append(graph)
        return graph

    compiled = torch.compile(LPSPointConv(4, 6, PARTITION), fullgraph=True, dynamic=True, backend=count)
    for neighborhood, x in clouds():
        compiled(x, neighborhood)
    assert len(graphs) == 1


class OnArrays(nn.Module):
    """A layer whose neighbourhood comes in as its tensors."""

    def __init__(self, layer, num_sources):
        super().__init__()
        self.layer, self.num_sources = layer, num_sources

    def forward(self, x, indptr, indices, centers):
        return self.layer(x, Neighborhood(indptr, indices, centers, self.num_sources, PARTITION.num_regions))


def test_an_exported_program_holds_plain_operators():
    layer = LPSPointConv(4, 6, PARTITION)
    neighborhood, x = next(clouds())
    arguments = (x.detach(), neighborhood.indptr, neighborhood.indices, neighborhood.centers)
    program = torch.export.export(OnArrays(layer, neighborhood.num_sources), arguments)
    assert not any("lpsc" in str(node.target) for node in program.graph.nodes)
    torch.testing.assert_close(program.module()(*arguments), layer(x, neighborhood))
