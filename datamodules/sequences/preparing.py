"""From series as they are stored to tensors: missing values, scale, and lengths that differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from datamodules.sequences.series import FloatArray, LabelledSeries
from lpsc_nd._checks import choice, integer

Missing = Literal["refuse", "interpolate"]
Normalize = Literal["none", "series", "training"]
Lengths = Literal["equal", "resample", "mask"]


@dataclass(frozen=True)
class SeriesOptions:
    """How series become the input of a network.

    Args:
        missing: ``refuse`` series with missing values, or ``interpolate`` them on the line between their neighbours;
            before the first and after the last value its own is taken.
        normalize: leave values as they are, standardise each channel of each ``series`` by itself (z-normalisation;
            a constant channel becomes 0), or each channel with the mean and deviation of the ``training`` part.
        lengths: demand ``equal`` lengths; ``resample`` every series to ``length`` values on lines between its own;
            or fill shorter ones up with zeros and ``mask`` them: one more channel is 1 on the series and 0 after its
            end, as :class:`~lpsc_nd.models.MaskedResidualNet` expects it.
        length: what is resampled to; by default the longest training series.

    Raises:
        TypeError, ValueError: an argument is of another type or value, or ``length`` is given without resampling.
    """

    missing: Missing = "refuse"
    normalize: Normalize = "none"
    lengths: Lengths = "equal"
    length: int | None = None

    def __post_init__(self) -> None:
        choice("missing", self.missing, ("refuse", "interpolate"))
        choice("normalize", self.normalize, ("none", "series", "training"))
        choice("lengths", self.lengths, ("equal", "resample", "mask"))
        if self.length is not None:
            integer("length", self.length, minimum=1)
            if self.lengths != "resample":
                raise ValueError(f"length must be None unless lengths='resample', got {self.length}")


def prepare_parts(parts: Sequence[LabelledSeries], options: SeriesOptions) -> list[Tensor]:
    """Return each part as one tensor; the first part is the training part.

    Missing values are filled first, then values are scaled, then lengths are made equal.

    Args:
        parts: the series, all of one number of channels.
        options: what is done.

    Shape:
        ``(n, C, L)`` float32 each, with ``lengths="mask"`` ``(n, C + 1, L)``.

    Raises:
        DataFileError: a series has missing values or another length and the options refuse that; the message names
            its file and line.
    """
    filled = [[_filled(part, index, options.missing) for index in range(len(part))] for part in parts]
    scaled = _scaled(filled, options.normalize)
    if options.lengths == "resample":
        length = options.length or max(series.shape[1] for series in scaled[0])
        return [_stack([resampled(series, length) for series in part]) for part in scaled]
    if options.lengths == "mask":
        length = max(series.shape[1] for part in scaled for series in part)
        return [_stack([masked(series, length) for series in part]) for part in scaled]
    _check_equal(parts, scaled)
    return [_stack(part) for part in scaled]


def interpolated(series: FloatArray) -> FloatArray:
    """Return a series ``(C, L)`` whose missing values lie on the line between their neighbours.

    Every channel must have a value. Before its first and after its last value its own is taken.

    >>> interpolated(np.array([[np.nan, 1.0, np.nan, 3.0]])).tolist()
    [[1.0, 1.0, 2.0, 3.0]]
    """
    return np.stack([_interpolated_channel(channel) for channel in series])


def standardised(series: FloatArray) -> FloatArray:
    """Return a series ``(C, L)`` with mean 0 and deviation 1 in each channel; a constant channel becomes 0.

    >>> standardised(np.array([[1.0, 3.0], [5.0, 5.0]])).tolist()
    [[-1.0, 1.0], [0.0, 0.0]]
    """
    return _rescaled(series, series.mean(axis=1, keepdims=True), series.std(axis=1, keepdims=True))


def resampled(series: FloatArray, length: int) -> FloatArray:
    """Return ``length`` values of a series ``(C, L)`` at equal steps from its first to its last, on lines between them.

    >>> resampled(np.array([[0.0, 2.0, 4.0]]), 5).tolist()
    [[0.0, 1.0, 2.0, 3.0, 4.0]]
    """
    size = series.shape[1]
    if size == length:
        return series
    places = np.linspace(0, size - 1, length)
    return np.stack([np.interp(places, np.arange(size), channel) for channel in series])


def masked(series: FloatArray, length: int) -> FloatArray:
    """Return a series ``(C, L)`` filled up with zeros to ``length``, and below it a channel that is 1 on the series.

    >>> masked(np.array([[5.0, 6.0]]), 3).tolist()
    [[5.0, 6.0, 0.0], [1.0, 1.0, 0.0]]
    """
    channels, size = series.shape
    out = np.zeros((channels + 1, length))
    out[:channels, :size] = series
    out[channels, :size] = 1
    return out


def _filled(part: LabelledSeries, index: int, missing: Missing) -> FloatArray:
    series = part.values[index]
    gaps = np.isnan(series)
    if not gaps.any():
        return series
    if missing == "refuse":
        advice = "missing='interpolate' puts them on lines between their neighbours"
        raise part.error(index, f"has {gaps.sum()} missing value(s); {advice}")
    return interpolated(series)


def _interpolated_channel(channel: FloatArray) -> FloatArray:
    there = np.flatnonzero(~np.isnan(channel))
    return np.interp(np.arange(len(channel)), there, channel[there])


def _scaled(parts: list[list[FloatArray]], normalize: Normalize) -> list[list[FloatArray]]:
    if normalize == "none":
        return parts
    if normalize == "series":
        return [[standardised(series) for series in part] for part in parts]
    values = np.concatenate(parts[0], axis=1)  # (C, all positions)
    mean, deviation = values.mean(axis=1, keepdims=True), values.std(axis=1, keepdims=True)
    return [[_rescaled(series, mean, deviation) for series in part] for part in parts]


def _rescaled(series: FloatArray, mean: FloatArray, deviation: FloatArray) -> FloatArray:
    rounding = 1e-12 * np.abs(mean)  # a constant channel's mean may be off by the last digit
    flat = deviation <= rounding
    centred = np.where(flat & (np.abs(series - mean) <= rounding), 0.0, series - mean)
    return centred / np.where(flat, 1.0, deviation)


def _check_equal(parts: Sequence[LabelledSeries], scaled: list[list[FloatArray]]) -> None:
    length = scaled[0][0].shape[1]
    for part, all_series in zip(parts, scaled, strict=True):
        for index, series in enumerate(all_series):
            if series.shape[1] != length:
                raise part.error(
                    index,
                    f"must have {length} values as the first training series has, got {series.shape[1]};"
                    " lengths='resample' brings all series to one length, lengths='mask' keeps each as it is",
                )


def _stack(part: list[FloatArray]) -> Tensor:
    return torch.from_numpy(np.stack(part).astype(np.float32))
