"""Point clouds: generated surfaces, and readers of published sets."""
