"""What `plan` prints, and what it refuses."""

from __future__ import annotations

import json

import pytest
from support.traces import requests_every

CLUSTER = '[[pool]]\nlatency = "rtxpro6000-llama-3.1-8b"\nmax_num_seqs = 16\n'


@pytest.fixture
def files(tmp_path):
    requests_every(0.1, 300, output_tokens=50).save(tmp_path / "log.trace")
    (tmp_path / "c.toml").write_text(CLUSTER)
    (tmp_path / "prices.toml").write_text('["RTX PRO 6000"]\nusd_per_hour = 2.0\n')
    return tmp_path


def test_a_plan_ends_with_its_sentence(run, files):
    words = ("plan", "log.trace", "--cluster", "c.toml", "--slo", "ttft=1,tpot=0.05")
    code, out, _ = run(
        *words, "--router", "random,least_requests", "--growth", "2,30", "--prices", "prices.toml"
    )
    assert code == 0
    assert "Instances for the whole trace" in out
    assert "1 GPU, $2.00 per hour" in " ".join(out.split())
    assert "99% of the requests within TTFT ≤ 1 s and TPOT ≤ 50 ms" in " ".join(out.split())
    code, out, _ = run(*words, "--json", "--growth", "")
    facts = json.loads(out)
    assert (code, facts["schema_version"], facts["instances"]) == (0, 1, 1)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("", 2, "a plan needs targets"),
        (
            "--slo ttft=1 --attain 2",
            2,
            "attain = 2\n  fix: use a share of the requests: 0.99 or 99%",
        ),
        ("--slo ttft=1 --growth fast", 2, "--growth 'fast'"),
        ("--slo ttft=1 --growth 1e9", 2, "growth = 1e+09 is not within 0.000001 to 1,000,000"),
        (
            "--slo ttft=1 --rate-scale 1.5",
            2,
            "a plan has no --rate-scale\n  fix: more traffic is --growth 1.5",
        ),
        ("--slo ttft=1 --growth 0", 2, "--growth '0'"),
        ("--slo ttft=1 --growth nan --from-log", 2, "--growth 'nan'"),
        ("--slo ttft=1 --prices none.toml", 2, "no such price file"),
        ("--slo ttft=1 --prices c.toml", 3, "is no price"),
        ("--slo ttft=1 --from-log", 2, "needs ttft_ns and e2e_ns"),
    ],
)
def test_mistakes_get_a_sentence(run, files, words, code, said):
    got, out, err = run("plan", "log.trace", "--cluster", "c.toml", *words.split())
    assert (got, out) == (code, "")
    assert said in err


def test_clusters_are_compared_by_rent_and_mixed(run, files):
    (files / "h.toml").write_text(CLUSTER.replace("rtxpro6000", "h100"))
    two = CLUSTER.replace("[[pool]]", '[[pool]]\nname = "r"') + CLUSTER.replace(
        "[[pool]]", '[[pool]]\nname = "h"'
    ).replace("rtxpro6000", "h100")
    (files / "two.toml").write_text(two)
    words = ("plan", "log.trace", "--slo", "ttft=1", "--router", "least_requests", "--growth", "")
    code, out, err = run(*words, "--cluster", "c.toml", "--cluster", "h.toml")
    assert code == 0, err
    assert "Cheapest: 1 instance of" in " ".join(out.split())
    code, out, err = run(*words, "--cluster", "two.toml", "--mix")
    assert code == 0, err
    assert "The cheapest mix is 1 of" in out
    code, _, err = run(*words, "--cluster", "from-log")
    assert code == 2
    assert "names no latency model" in err


@pytest.mark.parametrize("mix", [(), ("--mix",)])
@pytest.mark.parametrize(
    ("requests", "said"), [(0, "the trace has no requests"), (1, "1 measured request")]
)
def test_what_has_no_rate_is_not_planned_for(run, files, requests, said, mix):
    requests_every(0.1, requests, output_tokens=50).save(files / "short.trace")
    pools = [CLUSTER.replace("[[pool]]", f'[[pool]]\nname = "{name}"') for name in "ab"]
    (files / "c.toml").write_text("".join(pools) if mix else CLUSTER)
    code, out, err = run("plan", "short.trace", "--cluster", "c.toml", "--slo", "ttft=1", *mix)
    assert (code, out) == (2, "")
    assert said in err
