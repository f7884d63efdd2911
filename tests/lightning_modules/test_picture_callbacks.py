"""Pictures of layers that appear while a network trains."""

import pytest
from torch import nn

from lightning_modules.picture_callbacks import LayerPictures
from lpsc_nd import LPSConv1d, LPSConv2d, LPSConv3d


@pytest.fixture
def trained(fit_with):
    """Return a function that trains for some epochs with the callback; it gives the names of the pictures."""

    def train(network, shape, epochs, **options):
        return {path.name for path in fit_with(LayerPictures(**options), network, shape, epochs).glob("*.png")}

    return train


@pytest.mark.parametrize(
    ("epochs", "every", "drawn"), [(4, 2, {0, 2, 4}), (3, 2, {0, 2, 3}), (1, 5, {0, 1}), (2, 1, {0, 1, 2})]
)
def test_kernels_are_drawn_at_the_start_every_few_epochs_and_at_the_end(trained, epochs, every, drawn):
    layer = LPSConv2d(1, 2, 5, num_levels=1)
    names = trained(nn.Sequential(layer), (1, 6, 6), epochs, every_n_epochs=every)
    kernels = {f"kernels_network.0_epoch_{epoch:04d}.png" for epoch in drawn}
    assert names == kernels | {"regions_network.0_map.png"}


@pytest.mark.parametrize(
    ("layer", "shape", "regions"),
    [
        (LPSConv1d(1, 2, 5), (1, 9), {"map"}),
        (
            LPSConv3d(1, 2, 3, num_levels=1, num_directions=(2, 4), spacing=(2.0, 1.0, 1.0)),
            (1, 4, 4, 4),
            {"slices", "levels"},
        ),
    ],
)
def test_layers_of_other_dimensions(trained, layer, shape, regions):
    names = trained(layer, shape, 1, values="taps")
    assert {name for name in names if name.startswith("regions")} == {f"regions_network_{kind}.png" for kind in regions}
    assert "kernels_network_epoch_0001.png" in names


def test_layers_by_name(trained):
    network = nn.Sequential(LPSConv1d(1, 1, 5), LPSConv1d(1, 1, 5))
    names = trained(network, (1, 12), 1, layers=["network.1"])
    assert all("network.1" in name for name in names)


def test_a_network_without_log_polar_layers_is_left_alone(trained, tmp_path):
    assert trained(nn.Conv1d(1, 1, 3), (1, 9), 1) == set()
    assert not (tmp_path / "pictures").exists()


def test_an_unknown_layer_stops_the_training(trained):
    with pytest.raises(ValueError, match=r"layers must be among network, got network\.1"):
        trained(LPSConv1d(1, 1, 5), (1, 9), 1, layers=["network.1"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every_n_epochs": 0}, "every_n_epochs must be at least 1, got 0"),
        ({"values": "kernels"}, "values must be one of 'weights', 'taps', got 'kernels'"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        LayerPictures(**options)
