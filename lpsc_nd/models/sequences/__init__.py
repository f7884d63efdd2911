"""Networks for series: of unequal lengths, and for forecasting."""
