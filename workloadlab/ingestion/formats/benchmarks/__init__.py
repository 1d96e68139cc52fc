"""Records of load generators, one row a request.

Their clocks are the client's, and often monotonic: a trace of them then has no date. Start with
`lmbench.py`, a flat table; then `vllm_bench.py`, whose requests are elements of parallel lists, and
`guidellm.py`, whose requests lie deep in one document. To add one, write its file and put it into
`FORMATS` below.
"""

from workloadlab.ingestion.formats.benchmarks.aibrix import AIBRIX, AIBRIX_WORKLOAD
from workloadlab.ingestion.formats.benchmarks.aiperf import AIPERF
from workloadlab.ingestion.formats.benchmarks.guidellm import GUIDELLM, GUIDELLM_REQUESTS
from workloadlab.ingestion.formats.benchmarks.inference_perf import INFERENCE_PERF
from workloadlab.ingestion.formats.benchmarks.inferencex import INFERENCEX
from workloadlab.ingestion.formats.benchmarks.llmperf import LLMPERF
from workloadlab.ingestion.formats.benchmarks.lmbench import LMBENCH
from workloadlab.ingestion.formats.benchmarks.vllm_bench import VLLM_BENCH
from workloadlab.ingestion.formats.benchmarks.vllm_multiturn import VLLM_MULTITURN

__all__ = ["FORMATS"]

FORMATS = (
    LMBENCH,
    VLLM_MULTITURN,
    INFERENCEX,
    AIPERF,
    GUIDELLM,
    GUIDELLM_REQUESTS,
    INFERENCE_PERF,
    VLLM_BENCH,
    LLMPERF,
    AIBRIX,
    AIBRIX_WORKLOAD,
)
