"""Output lengths, predicted from what a trace records beside them."""
