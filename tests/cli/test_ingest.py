"""`workloadlab ingest`: what it says of what it read."""

from __future__ import annotations

import json

LOG = (
    '{"type": "GENERATION", "id": "a", "startTime": "2026-09-21T14:13:20Z", "endTime": null, '
    '"completionStartTime": null, "usageDetails": {"input": 5, "output": 2}}\n'
)


def test_rows_left_out_are_told_by_reason(run, tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text(LOG + LOG.replace("GENERATION", "SPAN") * 2)
    code, out, err = run("ingest", log, "-o", "out.trace")
    assert code == 0, err
    assert "2 rows left out: 2 type is not GENERATION" in err
    code, out, _ = run("ingest", log, "-o", "out.trace", "--json")
    assert json.loads(out)["rows"]["left_out"] == {"type is not GENERATION": 2}
