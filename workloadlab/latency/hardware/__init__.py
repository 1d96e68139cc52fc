"""Facts of GPUs and of models' shapes, and the times and sizes that follow from them."""
