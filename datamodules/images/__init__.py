"""Images: readers of published sets, augmentation of batches, generated vessels."""
