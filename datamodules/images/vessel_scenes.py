"""Generated vessels drawn on a real photograph of the retina, whose own vessels are removed."""

import math
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datamodules.images.files import read_rgb, resize
from datamodules.images.vessel_trees import Discs, grow_trees, scatter_spots
from datamodules.labels import VOID

Array = NDArray[np.float64]

FUNDUS_SIZE = (584, 565)  # DRIVE's
_SIDE = 548  # of the square photograph inside it, so that the field of view is 540 pixels wide, as DRIVE's
_WIDEST = 15  # pixels: no dark line of the photograph is as wide
_ABSORPTION = np.array([0.25, 0.55, 0.35])  # of red, green and blue in the middle of a vessel of full contrast
_BLUR = 0.6  # pixels, of the optics
_NOISE = 4.0  # grey values
_TREE_AREA = 6000.0  # pixels per tree
_SPOT_AREA = 6000.0  # pixels per dark spot
_DISCS_AT_ONCE = 2000
_LEAST_FIELD = 0.6  # share of a patch inside the field of view


@dataclass(frozen=True, eq=False)
class Fundus:
    """A photograph without vessels.

    Shape:
        image ``(H, W, 3)`` from 0 to 255, field ``(H, W)`` bool: the field of view.
    """

    image: Array
    field: NDArray[np.bool_]


@lru_cache(maxsize=1)
def fundus() -> Fundus:
    """Return scikit-image's photograph of a retina in DRIVE's size, with its vessels removed.

    A morphological closing replaces every dark line that is narrower than 15 pixels by what surrounds it.

    Raises:
        ModuleNotFoundError: scikit-image is not installed.
        FileNotFoundError: this version of scikit-image does not carry the photograph.
    """
    photograph = resize(read_rgb(_photograph()), (_SIDE, _SIDE)).numpy().transpose(1, 2, 0).astype(np.float64)
    margin = [((extent - _SIDE + 1) // 2, (extent - _SIDE) // 2) for extent in FUNDUS_SIZE]
    photograph = np.pad(photograph, [*margin, (0, 0)])
    field = ndimage.binary_opening(photograph[..., 0] > 40, iterations=8)
    closed = ndimage.grey_closing(photograph, size=(_WIDEST, _WIDEST, 1))
    smooth = ndimage.gaussian_filter(closed, (2.5, 2.5, 0))
    inside = np.maximum(ndimage.gaussian_filter(field.astype(np.float64), 2.5), 0.5)
    return Fundus(np.where(field[..., None], smooth / inside[..., None], 0.0).clip(0, 255), field)


def draw_scene(size: tuple[int, int], generator: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw a patch of a photograph with vessels of its own.

    Args:
        size: height and width, at most 584 x 565.
        generator: of all random numbers.

    Shape:
        image ``(3, *size)`` uint8; target ``size`` int64: 1 where the middle of a pixel is inside a vessel, else 0, and
        255 outside the field of view.
    """
    patch = _patch(size, generator)
    vessels = grow_trees(size, max(1, round(math.prod(size) / _TREE_AREA)), generator)
    spots = scatter_spots(size, generator.poisson(math.prod(size) / _SPOT_AREA), generator)
    inside, dark = _stamp(vessels, size)
    darkness = np.maximum(dark, _stamp(spots, size)[1])
    image = patch.image * generator.uniform(0.85, 1.15, 3) * (1 - darkness[..., None] * _ABSORPTION)
    noise = generator.normal(0, _NOISE, (*size, 1)) + generator.normal(0, _NOISE / 2, (*size, 3))
    image = ndimage.gaussian_filter(image + 2 * noise * patch.field[..., None], (_BLUR, _BLUR, 0))
    target = np.where(patch.field, inside.astype(np.int64), VOID)
    return image.round().clip(0, 255).astype(np.uint8).transpose(2, 0, 1).copy(), target


def _photograph() -> Path:
    # The package's folder is read, not skimage.data.retina(), which may go to the network.
    package = find_spec("skimage")
    if package is None or package.origin is None:
        raise ModuleNotFoundError(
            "the photograph of a retina comes with scikit-image, which is not installed: pip install 'lpsc-nd[images]'",
            name="skimage",
        )
    path = Path(package.origin).parent / "data" / "retina.jpg"
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: this scikit-image comes without it; 0.26 has it")
    return path


def _patch(size: tuple[int, int], generator: np.random.Generator) -> Fundus:
    """Cut a random window of which most is inside the field of view, and mirror it at random."""
    whole = fundus()
    spare = [have - want for have, want in zip(FUNDUS_SIZE, size, strict=True)]
    while True:
        top, left = (int(generator.integers(extent + 1)) for extent in spare)
        window = (slice(top, top + size[0]), slice(left, left + size[1]))
        if whole.field[window].mean() >= _LEAST_FIELD:
            break
    flips = (slice(None, None, generator.choice((-1, 1))), slice(None, None, generator.choice((-1, 1))))
    return Fundus(whole.image[window][flips], whole.field[window][flips])


def _stamp(discs: Discs, size: tuple[int, int]) -> tuple[NDArray[np.bool_], Array]:
    """Draw discs: which pixel middles they cover, and how dark, from 0 to 1, they make each pixel."""
    inside, dark = np.zeros(size, dtype=bool), np.zeros(size)
    for first in range(0, len(discs.radii), _DISCS_AT_ONCE):
        some = slice(first, first + _DISCS_AT_ONCE)
        part = Discs(discs.centers[some], discs.radii[some], discs.contrast[some])
        _stamp_some(part, size, inside, dark)
    return inside, dark


def _stamp_some(discs: Discs, size: tuple[int, int], inside: NDArray[np.bool_], dark: Array) -> None:
    radii = discs.radii[:, None]  # (n, 1)
    reach = math.ceil(radii.max() + 1)
    window = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
    rows, columns = (axis.round().astype(np.int64)[:, None] + window[i] for i, axis in enumerate(discs.centers.T))
    distance = np.hypot(rows - discs.centers[:, :1], columns - discs.centers[:, 1:])  # (n, k)
    drawn = (distance < radii + 0.5) & (rows >= 0) & (rows < size[0]) & (columns >= 0) & (columns < size[1])
    # A vessel is as dark as it is deep; half a pixel beyond its rim a pixel is still partly covered.
    depth = np.sqrt(np.maximum(0, 1 - (distance / (radii + 0.5)) ** 2))
    shade = depth * discs.contrast[:, None] * np.minimum(1, radii / 1.5)
    np.maximum.at(dark, (rows[drawn], columns[drawn]), shade[drawn])
    covered = drawn & (distance <= radii)
    inside[rows[covered], columns[covered]] = True
