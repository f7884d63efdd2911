"""How pixels correlate with the pixel in the middle of a window, cell by cell and region by region."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lpsc_nd import _checks

FloatArray = NDArray[np.float64]


def correlation_map(images: Iterable[NDArray[Any]], kernel_size: Sequence[int]) -> FloatArray:
    """Return Pearson's correlation of each cell of a window with its centre (paper, Section 1 and Appendix A.1).

    For the cell at offset o it is taken over all pairs ``(x[s], x[s + o])``, of all images together, s running over the
    sites whose whole window lies inside the image.

    Args:
        images: arrays ``(..., *size)``, each at least as large as the window; leading axes count as further images.
        kernel_size: cells of the window along each axis; the centre is cell (k - 1) // 2.

    Shape:
        ``(*kernel_size)``, from -1 to 1; 1 at the centre.

    Raises:
        ValueError: no images, an image smaller than the window or with values that are not finite, or values that do
            not vary, whose correlation is not defined.

    Example:
        >>> correlation_map([np.array([0.0, 1.0, 0.0, 1.0])], (3,)).round(3)
        array([-1.,  1., -1.])
    """
    size = tuple(_checks.integer(f"kernel_size[{i}]", k, minimum=1) for i, k in enumerate(kernel_size))
    sums = _Sums(np.zeros(size), np.zeros(size), np.zeros(size))
    shift: float | None = None
    for index, image in enumerate(images):
        values = _check_image(index, image, size)
        # Correlation does not change with a common shift, and sums of small numbers are more exact.
        shift = float(values.mean()) if shift is None else shift
        sums.add(values - shift, size)
    if shift is None:
        raise ValueError("images must hold at least one image, got none")
    return sums.correlation()


@dataclass(frozen=True)
class RegionCorrelation:
    """How the cells of one region correlate with the centre.

    Attributes:
        region: code of the region, from 1.
        count: cells of the window in the region.
        mean: mean of the cells' correlations; None for an empty region, as are the next two.
        least: the lowest of them.
        largest: the highest of them.
    """

    region: int
    count: int
    mean: float | None
    least: float | None
    largest: float | None


def region_correlations(
    correlation: FloatArray, mask: NDArray[np.int64], num_regions: int | None = None
) -> list[RegionCorrelation]:
    """Gather a correlation map by regions, in the order of their codes; the centre cell is left out.

    Args:
        correlation: see :func:`correlation_map`.
        mask: region codes of the same window.
        num_regions: number of regions; by default the highest code.

    Raises:
        ValueError: different windows.

    Example:
        >>> region_correlations(np.array([0.2, 1.0, 0.4]), np.array([2, 0, 1]))[0]
        RegionCorrelation(region=1, count=1, mean=0.4, least=0.4, largest=0.4)
    """
    if correlation.shape != mask.shape:
        raise ValueError(f"mask must have the window {correlation.shape} of the correlation, got {mask.shape}")
    around = np.ones(mask.shape, dtype=bool)
    around[_center(mask.shape)] = False
    highest = int(mask.max()) if num_regions is None else num_regions
    return [_gather(code, correlation[around & (mask == code)]) for code in range(1, highest + 1)]


@dataclass
class _Sums:
    """Sums over all sites, for each cell: of its value and its square, and of its product with the centre's."""

    values: FloatArray
    squares: FloatArray
    products: FloatArray
    sites: int = 0

    def add(self, x: FloatArray, size: tuple[int, ...]) -> None:
        centers = x[_crop(x.shape, size, _center(size))]
        self.sites += centers.size
        for cell in np.ndindex(*size):
            values = x[_crop(x.shape, size, cell)]
            self.values[cell] += values.sum()
            self.squares[cell] += np.square(values).sum()
            self.products[cell] += (values * centers).sum()

    def correlation(self) -> FloatArray:
        center = _center(self.values.shape)
        variances = self.squares - np.square(self.values) / self.sites
        rounding = 1e-12 * self.squares
        if (variances <= rounding).any():
            raise ValueError("images must vary: in some cell of the window all values are equal")
        covariances = self.products - self.values * self.values[center] / self.sites
        return np.clip(covariances / np.sqrt(variances * variances[center]), -1.0, 1.0)


def _gather(code: int, values: FloatArray) -> RegionCorrelation:
    if len(values) == 0:
        return RegionCorrelation(code, 0, None, None, None)
    return RegionCorrelation(code, len(values), float(values.mean()), float(values.min()), float(values.max()))


def _check_image(index: int, image: NDArray[Any], size: tuple[int, ...]) -> FloatArray:
    values = np.asarray(image, dtype=np.float64)
    if values.ndim < len(size) or any(n < k for n, k in zip(values.shape[-len(size) :], size, strict=False)):
        window, got = _checks.shape_text(size), _checks.shape_text(values.shape)
        raise ValueError(f"images[{index}] must be at least as large as the window {window}, got shape {got}")
    if values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"images[{index}] must hold finite values, got an empty image, NaN or infinity")
    return values


def _center(size: Sequence[int]) -> tuple[int, ...]:
    return tuple((k - 1) // 2 for k in size)


def _crop(shape: Sequence[int], size: tuple[int, ...], cell: tuple[int, ...]) -> tuple[Any, ...]:
    """Return the slices that hold one cell of the windows at all sites."""
    inside = zip(shape[-len(size) :], size, cell, strict=True)
    return (..., *(slice(start, n - k + 1 + start) for n, k, start in inside))
