"""Networks on point clouds: blocks, encoder, classifier, segmenter."""
