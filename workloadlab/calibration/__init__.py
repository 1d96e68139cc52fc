"""Request timings to a latency model."""
