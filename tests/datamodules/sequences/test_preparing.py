"""From stored series to tensors: gaps, scale and lengths, each option against its definition."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from datamodules.data_files import DataFileError
from datamodules.sequences.preparing import SeriesOptions, interpolated, masked, prepare_parts, resampled, standardised
from datamodules.sequences.series import LabelledSeries

numbers = st.floats(-1e3, 1e3, width=32).map(float)


def part(*series, name="some.tsv"):
    values = tuple(np.atleast_2d(np.array(one, dtype=np.float64)) for one in series)
    return LabelledSeries(Path(name), values, ("a",) * len(values), tuple(range(11, 11 + len(values))))


def tables(min_length=1):
    """Series of one or two channels."""
    sizes = st.tuples(st.integers(1, 2), st.integers(min_length, 7))
    return sizes.flatmap(lambda size: st.lists(numbers, min_size=size[0] * size[1], max_size=size[0] * size[1]).map(
        lambda flat: np.array(flat).reshape(size)
    ))  # fmt: skip


@given(series=tables(), data=st.data())
def test_gaps_are_filled_on_lines_and_nothing_else_moves(series, data):
    gaps = np.array(data.draw(st.lists(st.booleans(), min_size=series.size, max_size=series.size))).reshape(
        series.shape
    )
    assume(not gaps.all(axis=1).any())
    filled = interpolated(np.where(gaps, np.nan, series))
    for channel, (values, absent) in enumerate(zip(series, gaps, strict=True)):
        there = [time for time in range(len(values)) if not absent[time]]
        for time in range(len(values)):
            before = max((other for other in there if other <= time), default=there[0])
            after = min((other for other in there if other >= time), default=there[-1])
            share = 0.0 if before == after else (time - before) / (after - before)
            expected = values[before] + share * (values[after] - values[before])
            assert filled[channel, time] == pytest.approx(expected, abs=1e-9)


@given(series=tables())
def test_standardised_series_have_mean_0_and_deviation_1_or_are_0(series):
    found = standardised(series)
    assert np.isfinite(found).all()
    for channel, values in zip(found, series, strict=True):
        if len(set(values)) == 1:
            assert not channel.any()
        elif values.std() > 1e-6 * abs(values).max():
            assert channel.mean() == pytest.approx(0, abs=1e-6)
            assert channel.std() == pytest.approx(1)


@given(value=numbers, length=st.integers(1, 30))
def test_a_constant_series_becomes_zero_whatever_the_mean_rounds_to(value, length):
    assert not standardised(np.full((1, length), value)).any()


@given(series=tables(), length=st.integers(1, 20), slope=numbers, offset=numbers)
def test_resampling_keeps_lines_and_ends(series, length, slope, offset):
    found = resampled(series, length)
    assert found.shape == (len(series), length)
    np.testing.assert_array_equal(found[:, 0], series[:, 0])
    if length > 1:
        np.testing.assert_allclose(found[:, -1], series[:, -1])
    line = slope * np.linspace(0, 1, series.shape[1])[None] + offset
    if series.shape[1] > 1:
        np.testing.assert_allclose(resampled(line, length)[0], slope * np.linspace(0, 1, length) + offset, atol=1e-6)
    np.testing.assert_array_equal(resampled(series, series.shape[1]), series)


@given(series=tables(), more=st.integers(0, 4))
def test_a_mask_tells_the_series_from_the_filling(series, more):
    found = masked(series, series.shape[1] + more)
    assert found[-1].tolist() == [1] * series.shape[1] + [0] * more
    np.testing.assert_array_equal(found[:-1, : series.shape[1]], series)
    assert not found[:-1, series.shape[1] :].any()


@given(lengths=st.lists(st.integers(1, 6), min_size=3, max_size=3), option=st.sampled_from(["resample", "mask"]))
def test_all_parts_get_one_length(lengths, option):
    parts = [part(np.arange(length)) for length in lengths]
    found = prepare_parts(parts, SeriesOptions(lengths=option))
    length = lengths[0] if option == "resample" else max(lengths)
    assert [x.shape for x in found] == [(1, 1 + (option == "mask"), length)] * 3
    assert all(x.dtype == torch.float32 for x in found)


def test_gaps_are_filled_before_values_are_scaled_and_lengths_changed():
    options = SeriesOptions(missing="interpolate", normalize="series", lengths="resample", length=5)
    (found,) = prepare_parts([part([0, np.nan, 4])], options)
    steps = np.array([-1.5, -0.75, 0, 0.75, 1.5]) * np.sqrt(2 / 3)
    np.testing.assert_allclose(found[0, 0], steps.astype(np.float32), rtol=1e-6)


def test_the_training_part_alone_gives_the_scale():
    train, test = part([[1, 3], [5, 5]], [[3, 5], [5, 5]]), part([[3, 3], [6, 5]])
    first, second = prepare_parts([train, test], SeriesOptions(normalize="training"))
    values = np.array([1, 3, 3, 5])
    np.testing.assert_allclose(first[:, 0].flatten(), (values - 3) / values.std(), rtol=1e-6)
    assert second[0].tolist() == [[0, 0], [1, 0]]  # a channel that never varies in training is centred


def test_series_stay_as_they_are_by_default():
    (found,) = prepare_parts([part([1, 2.5], [3, 4])], SeriesOptions())
    assert found.tolist() == [[[1, 2.5]], [[3, 4]]]


def test_missing_values_are_refused_by_file_and_line():
    parts = [part([1, 2]), part([1, 2], [np.nan, 3], name="other.ts")]
    with pytest.raises(DataFileError, match=r"^other\.ts: line 12: has 1 missing value.*missing='interpolate'"):
        prepare_parts(parts, SeriesOptions())


def test_unequal_lengths_are_refused_by_file_and_line():
    parts = [part([1, 2]), part([1, 2], [1, 2, 3], name="other.ts")]
    with pytest.raises(DataFileError, match=r"^other\.ts: line 12: must have 2 values .* got 3; lengths='resample'"):
        prepare_parts(parts, SeriesOptions())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"missing": "zero"}, ValueError, "missing must be one of 'refuse', 'interpolate', got 'zero'"),
        ({"normalize": True}, ValueError, "normalize must be one of 'none', 'series', 'training', got True"),
        ({"lengths": "pad"}, ValueError, "lengths must be one of 'equal', 'resample', 'mask', got 'pad'"),
        ({"length": 10}, ValueError, "length must be None unless lengths='resample', got 10"),
        ({"lengths": "resample", "length": 0}, ValueError, "length must be at least 1, got 0"),
        ({"lengths": "resample", "length": 2.0}, TypeError, "length must be an integer, got 2.0"),
    ],
)
def test_bad_options_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        SeriesOptions(**arguments)
