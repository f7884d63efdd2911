"""``lpsc compare``: several configurations with several seeds each, their table beside the paper's, and a figure."""
