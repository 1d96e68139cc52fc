-- title:    Latency by instance
-- topic:    service_levels
-- question: Do some instances serve more slowly than others?
-- in:       instance_id, ttft_ns, e2e_ns, output_tokens?, warmup
-- out:      instance_id VARCHAR | null, last: requests that no instance is recorded for
-- out:      requests BIGINT | requests sent there, with or without timings
-- out:      ttft_mean_s DOUBLE | time to first token
-- out:      ttft_p50_s DOUBLE |
-- out:      ttft_p99_s DOUBLE |
-- out:      tpot_mean_s DOUBLE | (e2e - ttft) / (output_tokens - 1), over outputs of 2 tokens or more
-- out:      tpot_p50_s DOUBLE |
-- out:      tpot_p99_s DOUBLE |
-- out:      e2e_mean_s DOUBLE | arrival to last token
-- out:      e2e_p50_s DOUBLE |
-- out:      e2e_p99_s DOUBLE |

WITH measured AS (
    SELECT
        instance_id,
        ttft_ns,
        e2e_ns,
        CASE WHEN output_tokens > 1 THEN (e2e_ns - ttft_ns) / (output_tokens - 1) END AS tpot_ns
    FROM trace
    WHERE warmup IS NOT TRUE
),
grouped AS (
    -- Sums of integers and decimals are exact, so means do not depend on the number of threads.
    SELECT
        instance_id,
        count(*) AS requests,
        sum(ttft_ns) / nullif(count(ttft_ns), 0) AS ttft_mean,
        quantile_cont(ttft_ns, [0.5, 0.99]) AS ttft,
        CAST(sum(CAST(tpot_ns AS DECIMAL(28, 6))) AS DOUBLE) / nullif(count(tpot_ns), 0) AS tpot_mean,
        quantile_cont(tpot_ns, [0.5, 0.99]) AS tpot,
        sum(e2e_ns) / nullif(count(e2e_ns), 0) AS e2e_mean,
        quantile_cont(e2e_ns, [0.5, 0.99]) AS e2e
    FROM measured
    GROUP BY instance_id
)
SELECT
    instance_id,
    requests,
    ttft_mean / 1e9 AS ttft_mean_s,
    ttft[1] / 1e9 AS ttft_p50_s,
    ttft[2] / 1e9 AS ttft_p99_s,
    tpot_mean / 1e9 AS tpot_mean_s,
    tpot[1] / 1e9 AS tpot_p50_s,
    tpot[2] / 1e9 AS tpot_p99_s,
    e2e_mean / 1e9 AS e2e_mean_s,
    e2e[1] / 1e9 AS e2e_p50_s,
    e2e[2] / 1e9 AS e2e_p99_s
FROM grouped
ORDER BY instance_id NULLS LAST;
