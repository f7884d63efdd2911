"""Sequences: readers of the UCR and UEA archives, generated series, and the digits as series."""
