"""Pooling core: engines that sum the cells of each region and mix the sums, and the dispatch between them."""

from lpsc_nd.pooling import derivatives, pool_derivatives, vmapping  # noqa: F401, as they register their rules

vmapping.register()
