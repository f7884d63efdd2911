"""Clouds whose coordinates are quarters: exact sums, many coincident and collinear points, many on borders."""

import numpy as np
import pytest
from hypothesis import strategies as st


@st.composite
def draw_points(draw, ndim, max_size=20, reach=8):
    """Draw (n, ndim) points with coordinates of at most ``reach`` quarters."""
    size = draw(st.integers(0, max_size))
    numbers = draw(st.lists(st.integers(-reach, reach), min_size=size * ndim, max_size=size * ndim))
    return np.array(numbers, dtype=np.float64).reshape(size, ndim) / 4


@st.composite
def draw_batch(draw, length):
    """Draw an ascending batch vector of clouds 0 to 3, some of them empty."""
    return np.sort(np.array(draw(st.lists(st.integers(0, 3), min_size=length, max_size=length)), dtype=np.int64))


@pytest.fixture(scope="session")
def batches():
    return draw_batch


@pytest.fixture(scope="session")
def quarters():
    return draw_points


@pytest.fixture(scope="session")
def as_lists():
    """Turn a neighbourhood into nested lists, [query][region - 1] -> sources."""

    def convert(neighborhood):
        bags = [part.tolist() for part in neighborhood.indices.split(neighborhood.indptr.diff().tolist())]
        regions = neighborhood.num_regions
        return [bags[query * regions : (query + 1) * regions] for query in range(neighborhood.num_queries)]

    return convert
