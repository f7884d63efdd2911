"""Pooling core: engines that sum the cells of each region and mix the sums, and the dispatch between them."""

from lpsc_nd.pooling import derivatives, vmapping

derivatives.register()
vmapping.register()
