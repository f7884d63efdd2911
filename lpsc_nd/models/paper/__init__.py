"""The networks of the published experiments, each in all its variants."""
