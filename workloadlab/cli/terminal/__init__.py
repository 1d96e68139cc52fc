"""What a verb says beside its results: progress, remarks, and errors of the machine."""
