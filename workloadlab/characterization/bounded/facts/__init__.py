"""From merged partial results to the facts of a profile: one file per topic.

Start with `arrivals.py`: it shows how counts per bin stand in for the arrivals themselves, so that
topics compute from them what they compute from rows. `sketch.py` turns buckets into frequencies;
`lengths.py` uses it for medians, `latencies.py` for percentiles.

To add a topic: its file here, and its line in `measured_topics`, which calls all of them.
"""
