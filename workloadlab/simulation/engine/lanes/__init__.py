"""Many lanes at once: laid side by side, stepped by threads, and what each step was worth."""
