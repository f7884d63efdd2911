"""The sheet of samples: the slices and outlines that are meant, in millimetres."""

import numpy as np
import pytest
import torch

from datamodules.volumes.sheet import draw_sheet
from datamodules.volumes.solids import SolidsDataModule
from datamodules.volumes.vessel_trees import VesselTreesDataModule


def panels_of(figure):
    return np.array(figure.axes).reshape(3, -1)


def test_slices_go_through_most_of_the_vessels_and_have_their_proportions():
    data = VesselTreesDataModule(num_test=3, spacing=(3, 1, 2), distractors=0)
    panels = panels_of(draw_sheet(data, 2))
    assert panels.shape == (3, 2)
    for column in range(2):
        x, target = data.splits.test[column]
        for view, ratio in enumerate((0.5, 1.5, 3.0)):
            others = tuple(axis for axis in range(3) if axis != view)
            at = int(target.sum(dim=others).argmax())
            image = panels[view, column].images[0]
            np.testing.assert_array_equal(image.get_array(), x[0].select(view, at))
            assert image.axes.get_aspect() == ratio
            assert image.origin == "lower"


def test_outlines_enclose_the_labels():
    data = VesselTreesDataModule(num_test=1, size=10)
    x = torch.zeros(1, 10, 10, 10)
    target = torch.zeros(10, 10, 10, dtype=torch.int64)
    target[4, 2:5, 6:8] = 1
    data.splits.test[0]
    data._splits = type("Splits", (), {"test": [(x, target)]})()
    panel = panels_of(draw_sheet(data))[0, 0]
    segments = np.array(panel.collections[0].get_segments())
    assert len(segments) == 2 * (3 + 2)
    assert segments.reshape(-1, 2).min(axis=0).tolist() == [5.5, 1.5]
    assert segments.reshape(-1, 2).max(axis=0).tolist() == [7.5, 4.5]


def test_classes_are_named_and_slices_go_through_the_middle():
    data = SolidsDataModule(num_test=3)
    figure = draw_sheet(data)
    panels = panels_of(figure)
    assert [panel.get_title() for panel in panels[0]] == ["ball", "cube", "cylinder"]
    assert [panel.get_ylabel() for panel in panels[:, 0]] == ["across z", "across y", "across x"]
    np.testing.assert_array_equal(panels[0, 1].images[0].get_array(), data.splits.test[1][0][0, 14])
    assert not any(panel.collections for panel in figure.axes)


def test_a_sheet_can_be_written(tmp_path):
    draw_sheet(VesselTreesDataModule(num_test=1), 1).savefig(tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(("count", "error"), [(0, ValueError), (1.5, TypeError)])
def test_bad_counts_are_named(count, error):
    with pytest.raises(error, match="count must be"):
        draw_sheet(SolidsDataModule(num_test=1), count)
