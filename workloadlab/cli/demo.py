"""`workloadlab demo`."""

from __future__ import annotations

from pathlib import Path

import click

from workloadlab.cli.common import Output, json_option, print_json, say, working

MODEL = "rtxpro6000-llama-3.1-8b"
ROUTERS = ("random", "round_robin", "power_of_two", "least_tokens", "least_requests")
INSTANCES, MAX_NUM_SEQS, RATE_SCALE = 4, 128, 17.0
SLO_TTFT_S, SLO_TPOT_S = 1.0, 0.05


@click.command("demo")
@click.option("--out", type=Output(folder=True), default=Path("demo-out"), show_default=True)
@json_option
def command(out: Path, as_json: bool) -> None:
    """Run the whole chain on the sample logs: ingest, characterize, replay, score, report."""
    from workloadlab.characterization import characterize
    from workloadlab.ingestion import ingest
    from workloadlab.latency import LatencyModel
    from workloadlab.reporting import report
    from workloadlab.resources import folder
    from workloadlab.scoring import SLO, score
    from workloadlab.simulation import Cluster, replay

    out.mkdir(parents=True, exist_ok=True)
    logs = folder("traces")
    say("1/5 ingest: two sample logs of our own making")
    chat = ingest(logs / "chat.csv", out / "chat.trace")
    agent = ingest(logs / "agent.jsonl", out / "agent.trace")
    for trace in (chat, agent):
        say(f"    {repr(trace)[1:-1]}")
    say(f"2/5 latency: {MODEL} from the catalogue")
    model = LatencyModel.load(MODEL)
    say("3/5 characterize: the chat log, with these step times")
    with working("characterizing"):
        profile = characterize(chat, model)
    profile.save(out / "chat.profile.json")
    cluster = Cluster.uniform(INSTANCES, model, max_num_seqs=MAX_NUM_SEQS)
    say(
        f"4/5 replay: the chat log {RATE_SCALE:g} times as fast on {INSTANCES} instances, "
        f"{len(ROUTERS)} routers"
    )
    with working("replaying"):
        runs = replay(chat, cluster, routers=ROUTERS, rate_scale=RATE_SCALE)
    runs.save(out / "runs", overwrite=True)
    board = score(runs, slo=SLO(ttft_s=SLO_TTFT_S, tpot_s=SLO_TPOT_S))
    say("5/5 report")
    page = out / "report.html"
    report(page, profile, model, board, runs)
    if as_json:
        print_json({**board.to_dict(), "report": str(page.resolve())})
        return
    click.echo(str(board))
    click.echo(f"\nreport: {page.resolve()}")
