"""What a checkpoint is worth on labelled images: predictions, scores, overlap with its training, a report."""
