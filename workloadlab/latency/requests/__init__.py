"""Models that predict TTFT and TPOT of whole requests from the signals that a router sees."""
