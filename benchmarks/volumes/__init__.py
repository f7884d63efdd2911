"""Networks on volumes and layers on long series beside conventional ones."""
