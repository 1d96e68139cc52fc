"""Published traces and the inputs of simulators: lengths, arrivals, and often the prompts' blocks.

Start with `azure.py`, three columns; then `bailian.py`, whose sessions are chains of parents, and
`weka.py`, whose block ids mean something within one session only. Most count from a start and have no
date, and none has latencies but `burstgpt.py` and `chutes.py`. To add one, write its file and put it
into `FORMATS` below.
"""

from workloadlab.ingestion.formats.traces.azure import AZURE
from workloadlab.ingestion.formats.traces.bailian import BAILIAN
from workloadlab.ingestion.formats.traces.blis import BLIS
from workloadlab.ingestion.formats.traces.burstgpt import BURSTGPT
from workloadlab.ingestion.formats.traces.chutes import CHUTES
from workloadlab.ingestion.formats.traces.mooncake import MOONCAKE
from workloadlab.ingestion.formats.traces.vidur import SPLITWISE, VIDUR
from workloadlab.ingestion.formats.traces.weka import WEKA, WEKA_FLAT

__all__ = ["FORMATS"]

FORMATS = (AZURE, BURSTGPT, BAILIAN, MOONCAKE, CHUTES, WEKA, WEKA_FLAT, VIDUR, SPLITWISE, BLIS)
