"""Training on volumes: segmentation in millimetres, pictures in slices, masks as NIfTI."""
