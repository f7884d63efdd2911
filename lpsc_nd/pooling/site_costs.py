"""What the bag engine is expected to take where it mixes, at each site, the bags alone that hold a cell."""

from __future__ import annotations

import math

from lpsc_nd.pooling import product, whole_costs
from lpsc_nd.pooling.rates import RATES, Rates
from lpsc_nd.pooling.shapes import PassName, Shapes
from lpsc_nd.pooling.site_by_site import held_bags, runs_of_bags
from lpsc_nd.pooling.whole_costs import Whole
from lpsc_nd.pooling.window import Window

MOST_SITES = 64
"""Sites of the largest map: each takes a few products."""

FEWEST_IMAGES = 32
"""Images of the smallest batch: rows of each product."""

FEWEST_CHANNELS = 32
"""Channels, on both sides, below which a product of a few bags is too small."""


def suits(name: PassName, window: Window, shapes: Shapes) -> bool:
    """Tell whether a pass can run site by site: small maps and large batches, products added up in place.

    oneDNN writes each product to memory of its own, which takes back what empty bags spare.
    """
    if not whole_costs.suits(name, window, shapes) or not product.PREFERS_BLAS:
        return False
    if math.prod(window.output_size(shapes.size)) > MOST_SITES or shapes.batch < FEWEST_IMAGES:
        return False
    return min(shapes.in_channels, shapes.out_channels) >= FEWEST_CHANNELS


def seconds(name: PassName, window: Window, shapes: Shapes, rates: Rates = RATES) -> float:
    """As long as whole images, but for the products that are spared, and calls for those that are made."""
    whole = Whole(window, shapes, rates)
    held = sum(held_bags(window, shapes.size)) / (window.num_bags * math.prod(window.output_size(shapes.size)))
    calls = sum(map(len, runs_of_bags(window, shapes.size))) * rates.product_call
    return shapes.batch * (whole.seconds(name) - rates.slack_whole * (1 - held) * whole.mixed) + calls
