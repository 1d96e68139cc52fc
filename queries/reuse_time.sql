-- title:    Reuse time of blocks
-- topic:    prefix
-- question: How long must a prefix cache keep a block until it is used again?
-- in:       arrival_ns, row_id, block_ids, warmup
-- out:      reuses BIGINT | block uses but first ones; the rest is null without any
-- out:      mean_s DOUBLE | seconds since the block's last use
-- out:      p50_s DOUBLE |
-- out:      p80_s DOUBLE |
-- out:      p90_s DOUBLE |
-- out:      p99_s DOUBLE |
-- out:      max_s DOUBLE |
-- out:      within_60_s DOUBLE | share of the reuses that come so soon
-- out:      within_600_s DOUBLE |

WITH uses AS (
    SELECT arrival_ns, row_id, unnest(block_ids) AS block
    FROM trace
    WHERE warmup IS NOT TRUE AND block_ids IS NOT NULL
),
gaps AS (
    SELECT arrival_ns - lag(arrival_ns) OVER (PARTITION BY block ORDER BY arrival_ns, row_id) AS gap_ns FROM uses
),
summed AS (
    SELECT
        count(gap_ns) AS reuses,
        sum(gap_ns) AS total_ns,
        quantile_cont(gap_ns, [0.5, 0.8, 0.9, 0.99]) AS quantiles,
        max(gap_ns) AS max_ns,
        count(*) FILTER (gap_ns <= 60000000000) AS minute,
        count(*) FILTER (gap_ns <= 600000000000) AS ten_minutes
    FROM gaps
)
SELECT
    reuses,
    total_ns / nullif(reuses, 0) / 1e9 AS mean_s,
    quantiles[1] / 1e9 AS p50_s,
    quantiles[2] / 1e9 AS p80_s,
    quantiles[3] / 1e9 AS p90_s,
    quantiles[4] / 1e9 AS p99_s,
    max_ns / 1e9 AS max_s,
    minute / nullif(reuses, 0) AS within_60_s,
    ten_minutes / nullif(reuses, 0) AS within_600_s
FROM summed;
