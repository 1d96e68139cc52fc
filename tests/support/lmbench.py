"""Real clusters with and without a router: the change that a replay predicts, beside the measured one.

The runs without a router are calibrated on where they are light; then the requests of each are replayed
without and with the router, with several draws of the placement. A pair is one rate and one metric.

What the data do not say is taken from the deployment files that were published with them (prefix
caching on, routing by session, the engine's options), computed from the GPU (KV size) where it is known
and fitted where it is not: the KV size of the runs of unknown GPU, and the hop through the llm-d
gateway, which is measured at the lowest rate, so that rate is not judged. On 2 replicas the hop decides
the sign: they are nearly idle, and routing alone predicts next to no change.

How the engines batch follows from their versions:

- AIBrix v0.2.1: vLLM 0.7.0, whose engine is V0, with `--enable-chunked-prefill false` and
  `--max-model-len 32000` (test/regression/v0.2.1/k8s_stack.yaml and its siblings). V0 then runs whole
  prompts before any decode, up to the model's length in a step.
- AIBrix v0.3.0: vLLM 0.8.5 with `--no-enable-chunked-prefill` (test/regression/v0.3.0). Its engine is
  V1, as only the offload stacks set VLLM_USE_V1=0, and V1 chunks prompts whatever that flag says
  (_set_default_args_v1 in vllm/engine/arg_utils.py; vllm-project/vllm issue 18547). A server on GPUs of
  70 GiB or more takes 8192 tokens and 1024 sequences a step.
- llm-d and fmperf: their plots call the runs without a router "vLLM v1"; no flag is published.

No router means a Kubernetes Service. The AIBrix gateway is an Envoy Gateway, whose default for a request
that names no strategy is least request among two drawn at random; taken for random per request, as its
name in the data suggests, 15 instead of 27 of the 33 pairs on 8 replicas have the measured sign.

Every pair that can be replayed has a prediction. Those that the data or the simulator cannot decide are
printed apart, with the reason, and counted nowhere.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

import workloadlab as wl
from workloadlab.calibration.observe import FEWEST_REQUESTS
from workloadlab.latency import ModelGeometry
from workloadlab.latency.hardware.limits import kv_blocks
from workloadlab.trace import Trace, session_prefixes

__all__ = ["NO_PREDICTION", "simulation_error", "study", "tallies", "unpredicted"]

UNROUTED = "kubernetes_service"
SEEDS = 6
NOTICEABLE = 0.1
"""Measured changes below this are printed and not counted."""
SURE = 0.9
"""A predicted sign is sure if so large a share of the placements has it."""
FEWEST_FOR_P99 = 100
METRICS = ("mean", "p99")
WRITTEN = ["prompt_tokens", "generation_tokens", "ttft", "generation_time", "user_id",
           "question_id", "launch_time", "finish_time"]  # fmt: skip
LONG_PROMPTS = {"start": wl.LatencyModel.linear(prefill_token_s=1e-4)}
"""Prompts of one length and a step at a time identify two numbers: time per prompt token, the scale of
this, and time per step. The lightest run alone: where requests meet, who meets whom is not recorded."""
SHORT_PROMPTS = {"extra": ("request_overhead_s",)}
"""A prompt of 76 tokens takes little longer than a decode: nearly all of the TTFT beyond a step passes
outside the engine, which shows in how little the decodes slow down as prompts become more."""
KV_SIZES = range(20_000, 52_000, 4_000)
WARM_UP_USERS, WARM_UP_NS = 400, 210_000_000_000
"""The benchmark's script first asks one question as each of 400 users, two per second, and pauses."""


@dataclass(frozen=True)
class Routed:
    """Runs with a router: values of columns that select them, the router of the shelf that stands for
    it, and why the pairs cannot be judged, if so."""

    values: dict[str, Any]
    router: str
    why: str = ""


@dataclass(frozen=True)
class Setting:
    """Replicas that served the same requests without and with routers.

    Attributes:
        file: of the data.
        unrouted: values of columns that select the runs without a router.
        routed: the runs with a router, by its name.
        replicas: how many.
        limits: of an instance.
        blocks: shared tokens and block size of the block ids; nothing if there are no sessions.
        options: of the cluster.
        warmed: whether the benchmark's warm-up came before.
        hop: whether the gateway's hop is fitted.
        calibration: options of `calibrate`.
        light: how many of the lowest rates it sees.
        engine: the setting whose calibration holds here too, instead of one of its own.
    """

    file: str
    unrouted: dict[str, Any]
    routed: dict[str, Routed]
    replicas: int
    limits: dict[str, Any]
    blocks: dict[str, int] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    warmed: bool = False
    hop: bool = False
    calibration: dict[str, Any] = field(default_factory=lambda: LONG_PROMPTS)
    light: int = 1
    engine: str = ""


def aibrix(version, stack):
    return {"aibrix_version": version, "stack": stack}


def short(run):
    return {"run": run, "scenario": "short_input"}


def sharegpt(run):
    return {"run": run, "scenario": "sharegpt"}


OFFLOAD = "KV offload to the host is not simulated"
LOST = (
    "the routed runs lack up to 78 % of the requests; no sessions, so no prefix hits are simulated"
)
FITTED = "the hop is fitted here"
A100, PAIR = (
    kv_blocks(ModelGeometry.named(model), "A100", tp=tp)
    for model, tp in (("Llama-3.1-8B", 1), ("Llama-3-70B", 2))
)
"""KV blocks of one A100 with the 8B model, and of two GPUs of 80 GB with the 70B model."""
V0_WHOLE_PROMPTS = {"batching": "prefill_first", "max_num_batched_tokens": 32_000}
V1_LARGE_GPU = {"batching": "chunked", "max_num_batched_tokens": 8192, "max_num_seqs": 1024}
LONG = {"shared_tokens": 1041, "block_size": 128}
SCRAPED = {"signal_interval_s": 0.05}
# Prompts of 76 tokens fill no KV cache, so its size does not matter.
BRIEF = {"blocks": {"shared_tokens": 41, "block_size": 16}, "limits": {"kv_blocks": 10_000},
         "options": SCRAPED, "hop": True, "calibration": SHORT_PROMPTS, "light": 8}  # fmt: skip
REAL_LENGTHS = {"limits": {"kv_blocks": PAIR}, "options": SCRAPED, "hop": True}
EXP2, EXP3 = "data/openshift/exp-2", "data/openshift/exp-3/H100"
H100S = f"{EXP3}/llm-d-70b-2replicas-H100"
SETTINGS = {
    "8 A100, 8B, 21k tokens": Setting(
        "aibrix_regression", aibrix("v0.2.1", "naive"),
        {
            "production-stack": Routed(aibrix("v0.2.1", "ps_naive"), "session_affinity"),
            "AIBrix gateway": Routed(aibrix("v0.2.1", "aibrix_naive_7"), "power_of_two"),
            **{f"production-stack + LMCache, {order}": Routed(
                aibrix("v0.2.1", f"ps_stack_{order}"), "session_affinity", OFFLOAD)
               for order in ("low_high", "high_low")},
            "AIBrix + KV cache": Routed(aibrix("v0.2.1", "aibrix_high_low"), "power_of_two", OFFLOAD),
        },
        replicas=8, blocks=LONG, warmed=True, limits={**V0_WHOLE_PROMPTS, "kv_blocks": A100},
    ),
    "8 unknown GPUs, 8B, 21k tokens": Setting(
        "aibrix_regression", aibrix("v0.3.0", "naive"),
        {
            "AIBrix gateway": Routed(aibrix("v0.3.0", "aibrix_naive"), "power_of_two"),
            "production-stack + LMCache": Routed(
                aibrix("v0.3.0", "ps_stack"), "session_affinity", OFFLOAD),
            "AIBrix + KV cache": Routed(
                aibrix("v0.3.0", "aibrix_kvcache_dram"), "power_of_two", OFFLOAD),
        },
        replicas=8, blocks=LONG, warmed=True, limits=V1_LARGE_GPU,
    ),
    "2 x 2 A100, 70B, 76 tokens": Setting(
        "llm_d_benchmark", short(f"{EXP2}/vllm-70b-2replicas"),
        {
            "llm-d + LMCache": Routed(short(f"{EXP2}/llm-d-70b-2replicas"), "llmd_default"),
            "llm-d": Routed(short("results/llm-d-70b-2replicas-A100"), "llmd_default"),
        },
        replicas=2, **BRIEF,
    ),
    "2 H100 pairs, 70B, 76 tokens": Setting(
        "llm_d_benchmark", short(f"{EXP3}/vllm-standalone-llama-3-70b-2replicas-H100"),
        {"llm-d": Routed(short(H100S), "llmd_default")},
        replicas=2, **BRIEF,
    ),
    "2 x 2 A100, 70B, ShareGPT": Setting(
        "llm_d_benchmark", sharegpt(f"{EXP2}/vllm-70b-2replicas"),
        {"llm-d + LMCache": Routed(
            sharegpt(f"{EXP2}/llm-d-70b-2replicas"), "llmd_default", f"{LOST}; {OFFLOAD}")},
        replicas=2, engine="2 x 2 A100, 70B, 76 tokens", **REAL_LENGTHS,
    ),
    "2 H100 pairs, 70B, ShareGPT": Setting(
        "llm_d_benchmark", sharegpt(f"{EXP3}/vllm-standalone-llama-3-70b-2replicas-H100"),
        {"llm-d": Routed(sharegpt(H100S), "llmd_default", LOST)},
        replicas=2, engine="2 H100 pairs, 70B, 76 tokens", **REAL_LENGTHS,
    ),
    "2 H100 pairs, 70B, ShareGPT, router off": Setting(
        "llm_d_benchmark", sharegpt(f"{H100S}-no-router"),
        {"llm-d": Routed(sharegpt(H100S), "llmd_default", LOST)},
        replicas=2, engine="2 H100 pairs, 70B, 76 tokens", **REAL_LENGTHS,
    ),
}  # fmt: skip
LONG_INPUT = "openshift/lmbenchmark/llama8B-long-input-{}-qps/{}"
NO_PREDICTION = (
    "neither the number of replicas nor the GPU is stated, and the prompts were in the caches from runs "
    "that are not in the data (80 ms for the first 21k tokens of a user), so no time per prompt token "
    "can be calibrated"
)


def runs_of(data, file, values):
    table = pl.read_parquet(data / "lmbench" / f"{file}.parquet")
    return table.filter(*(pl.col(name) == value for name, value in values.items()))


def by_rate(requests):
    """Mean, p99 and median TTFT and the mean decode time, in seconds, by rate and draw."""
    ttft = pl.col("ttft")
    return (
        requests.group_by("qps", "draw")
        .agg(mean=ttft.mean(), p99=ttft.quantile(0.99), median=ttft.median(),
             decode=pl.col("generation_time").mean(), requests=pl.len())
        .sort("qps", "draw")
    )  # fmt: skip


def measured(data, file, values):
    return by_rate(runs_of(data, file, values).with_columns(draw=0))


@dataclass(frozen=True)
class Log:
    """Runs of one stack: the trace, and the rate of each of its rows."""

    trace: Trace
    rates: pl.DataFrame

    @classmethod
    def of(cls, runs, setting, folder):
        """Read the runs from files as the benchmark writes them, one per rate."""
        files, rates = [], []
        for (rate,), run in runs.sort("launch_time").group_by("qps", maintain_order=True):
            files.append(folder / f"{len(files)}.csv")
            run.select(WRITTEN).write_csv(files[-1])
            rates += [rate] * run.height
        log = wl.ingest(files, keep_ids=True)
        assert (log.provenance.reader, log.requests) == ("lmbench", runs.height)
        frame = log.frame.collect()
        if setting.warmed:
            later = frame.with_columns(pl.col("arrival_ns") + WARM_UP_NS)
            frame = pl.concat([warm_up(frame), later])
        trace = Trace.from_frame(frame)
        if setting.blocks:
            trace = session_prefixes(trace, **setting.blocks)
        rows = pl.Series(range(runs.height), dtype=pl.UInt64)
        return cls(trace, pl.DataFrame({"row_id": rows, "qps": rates}))

    def timed(self, rates):
        """The trace up to the last request of these rates, with the timings of these rates alone."""
        ours = self.rates.filter(pl.col("qps").is_in(list(rates)))["row_id"]
        frame = self.trace.frame.collect()
        timed = pl.col("row_id").is_in(ours.implode())
        last = frame.filter(timed)["arrival_ns"].max()
        hidden = {name: pl.when(timed).then(pl.col(name)) for name in ("ttft_ns", "e2e_ns")}
        return Trace.from_frame(frame.filter(pl.col("arrival_ns") <= last).with_columns(**hidden))

    def by_rate(self, traces):
        """Latencies of each draw of the placement by rate."""
        return by_rate(
            pl.concat(
                trace.read("row_id", "ttft_ns", "e2e_ns")
                .join(self.rates, on="row_id")
                .select(
                    "qps", draw=draw, ttft=pl.col("ttft_ns") / 1e9,
                    generation_time=(pl.col("e2e_ns") - pl.col("ttft_ns")) / 1e9,
                )
                for draw, trace in enumerate(traces)
            )
        )  # fmt: skip


def warm_up(frame):
    asked = frame.sort("arrival_ns").row(0, named=True)
    return pl.DataFrame(
        [
            asked | {"row_id": frame.height + user, "arrival_ns": user * 500_000_000,
                     "session_id": str(user + 1), "warmup": True, "ttft_ns": None, "e2e_ns": None}
            for user in range(WARM_UP_USERS)
        ],
        schema=frame.schema,
    )  # fmt: skip


def shuffled(trace, draw):
    """The same trace with other session names, so that a hash places the sessions elsewhere."""
    names = trace.frame.select(pl.col("session_id").unique()).collect()["session_id"].to_list()
    other = [f"{zlib.crc32(f'{draw} {name}'.encode()):08x} {name}" for name in names]
    renamed = pl.col("session_id").replace_strict(names, other)
    return Trace.from_frame(trace.frame.with_columns(renamed))


def predicted(log, cluster, router, seeds):
    """Latencies by rate for several draws of the placement."""
    if router != "session_affinity":
        return log.by_rate(wl.replay(log.trace, cluster, routers=[router], seeds=seeds).traces)
    draws = [shuffled(log.trace, draw) for draw in range(seeds)]
    return log.by_rate([wl.replay(trace, cluster, routers=[router]).traces[0] for trace in draws])


def cluster_of(setting, model, **options):
    return wl.Cluster.uniform(
        setting.replicas, model,
        **{"step_overhead_s": 0.0, "async_scheduling": False, "prefix_caching": bool(setting.blocks),
           **setting.limits, **setting.options, **options},
    )  # fmt: skip


def calibrated(log, truth, setting, **options):
    """Fit the step times of the engines, and the time outside them, on the lightest runs.

    What came before is simulated too: its prompts are in the caches.
    """
    enough = truth.filter(pl.col("requests") >= FEWEST_REQUESTS)["qps"]
    light = log.timed(enough.head(setting.light))
    seen = cluster_of(setting, wl.LatencyModel.linear(), **options)
    model = wl.calibrate(light, seen, router=UNROUTED, **setting.calibration)
    found = model.system["calibration"]
    print({p["name"]: (p["estimate"], p["identifiable"]) for p in found["parameters"]}, end=" ")
    return cluster_of(
        setting, model, request_overhead_s=model.system["request_overhead_s"], **options
    )


def fitted_kv_size(log, truth, cluster):
    """Return the KV size at which the heaviest runs come nearest to the measured ones."""
    heavy = truth.tail(3)

    def distance(size):
        tried = replace(cluster, pools=(replace(cluster.pools[0], kv_blocks=size),))
        ours = log.by_rate(wl.replay(log.trace, tried, routers=[UNROUTED], seeds=2).traces)
        both = ours.join(heavy, on="qps", suffix="_true")
        ratios = (pl.col(name) / pl.col(f"{name}_true") for name in ("mean", "decode"))
        return sum(both.select(ratio.log().abs().sum() for ratio in ratios).row(0))

    size = min(KV_SIZES, key=distance)
    print(f"{size:,} KV blocks of 16 fit the heavy runs", end=" ")
    return size


def fitted(log, truth, setting):
    """Return the cluster whose step times fit the light runs and whose KV size the heavy ones.

    Each hangs on the other through the caches, so where the size is unknown they take turns.
    """
    if "kv_blocks" in setting.limits:
        return calibrated(log, truth, setting)
    size, tried = KV_SIZES[-1], set()
    while size not in tried:
        tried.add(size)
        cluster = calibrated(log, truth, setting, kv_blocks=size)
        size = fitted_kv_size(log, truth, cluster)
    return cluster


def compared(truth, real, before, after, hop_s):
    """One row per rate and metric: measured and predicted change, and what its sign rests on."""
    rows = []
    for pair in truth.join(real, on="qps").iter_rows(named=True):
        for metric in METRICS:
            own, other = (
                frame.filter(qps=pair["qps"])[metric].to_numpy() for frame in (before, after)
            )
            change = other.mean() / own.mean() - 1
            signs = (other[:, None] > own) == (change > 0)
            rows.append({
                "qps": pair["qps"], "metric": metric, "ttft_s": pair[metric],
                "simulated_s": own.mean(), "measured": pair[f"{metric}_right"] / pair[metric] - 1,
                "predicted": change, "without_hop": (other.mean() - hop_s) / own.mean() - 1,
                "enough": metric == "mean" or pair["requests"] >= FEWEST_FOR_P99,
                "sure": bool(signs.mean() >= SURE),
            })  # fmt: skip
    return pl.DataFrame(rows).sort("qps", "metric")


def setting_study(data, folder, name, clusters, seeds):
    """Yield a table per router of a setting; add its cluster to those by setting."""
    setting = SETTINGS[name]
    log = Log.of(runs_of(data, setting.file, setting.unrouted), setting, folder)
    truth = measured(data, setting.file, setting.unrouted)
    print(name, end=": ")
    if setting.engine:
        print(f"the engines of {setting.engine}")
        known = clusters[setting.engine]
        cluster = cluster_of(
            setting, known.pools[0].latency, request_overhead_s=known.request_overhead_s
        )
    else:
        cluster = fitted(log, truth, setting)
        print()
    clusters[name] = cluster
    before = predicted(log, cluster, UNROUTED, seeds)
    routed = {}
    for title, runs in setting.routed.items():
        real = measured(data, setting.file, runs.values)
        hop_s = max(0.0, real["median"][0] - truth["median"][0]) if setting.hop else 0.0
        key = runs.router, hop_s
        if key not in routed:
            served = replace(cluster, request_overhead_s=cluster.request_overhead_s + hop_s)
            routed[key] = predicted(log, served, runs.router, seeds)
        lowest = setting.hop & (pl.col("qps") == truth["qps"][0])
        why = pl.when(lowest & (runs.why == "")).then(pl.lit(FITTED)).otherwise(pl.lit(runs.why))
        yield compared(truth, real, before, routed[key], hop_s).select(
            pl.lit(name).alias("setting"), pl.lit(title).alias("router"), pl.all(), why=why
        )


def study(data, folder, *, names=tuple(SETTINGS), seeds=SEEDS):
    """Return all pairs of some settings; each comes behind the one whose engines it has."""
    tables, clusters = [], {}
    for number, name in enumerate(names):
        place = folder / str(number)
        place.mkdir()
        tables += setting_study(data, place, name, clusters, seeds)
    return pl.concat(tables).with_columns(
        agrees=pl.col("measured").sign() == pl.col("predicted").sign(),
        agrees_without_hop=pl.col("measured").sign() == pl.col("without_hop").sign(),
    )


def tallies(everything):
    """Return pairs of rows: what is counted, and the judged pairs with a noticeable change in it."""
    judged = everything.filter(why="").filter(pl.col("measured").abs() > NOTICEABLE)
    counted = judged.filter("enough")
    long, short = (counted.filter(pl.col("setting").str.starts_with(n)) for n in ("8", "2"))
    return {
        "all": judged,
        "without p99 of fewer than 100 requests": counted,
        "of these, where nearly all placements give the predicted sign": counted.filter("sure"),
        "8 replicas": long,
        "8 replicas, mean under routing by session": long.filter(
            router="production-stack", metric="mean"
        ),
        "2 replicas": short,
    }


def simulation_error(everything):
    """Median error of the simulated runs without a router, over the judged pairs."""
    judged = everything.filter(why="")
    return (judged["simulated_s"] / judged["ttft_s"]).log().abs().median()


def unpredicted(data):
    """The measured changes of the pairs that no replay can predict."""
    tables = []
    for rates in ("low", "high"):
        without, with_router = (
            measured(data, "llm_d_benchmark", {"run": LONG_INPUT.format(rates, stack)})
            for stack in ("vllm", "llm-d")
        )
        both = without.join(with_router, on="qps")
        changes = {name: pl.col(f"{name}_right") / pl.col(name) - 1 for name in METRICS}
        tables.append(
            both.select("qps", pl.lit(f"long input, {rates} rates").alias("runs"), **changes)
        )
    return pl.concat(tables)
