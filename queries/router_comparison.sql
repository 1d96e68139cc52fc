-- title:    Routers compared
-- topic:    routers
-- question: Which router served the same requests best?
-- in:       run_id, ttft_ns, e2e_ns, input_tokens, output_tokens?, cached_tokens?, preemptions?, instance_id?, warmup
-- out:      run VARCHAR | one row per run of a replay; query a folder of runs to see them side by side
-- out:      router VARCHAR | the part of the run's name before its rate scale and seed
-- out:      requests BIGINT |
-- out:      ttft_mean_s DOUBLE | time to first token
-- out:      ttft_p50_s DOUBLE |
-- out:      ttft_p99_s DOUBLE |
-- out:      tpot_p50_s DOUBLE | (e2e - ttft) / (output_tokens - 1), over outputs of 2 tokens or more
-- out:      tpot_p99_s DOUBLE |
-- out:      e2e_p50_s DOUBLE | arrival to last token
-- out:      e2e_p99_s DOUBLE |
-- out:      cached_share DOUBLE | cached / prompt tokens; null where not recorded
-- out:      preempted BIGINT | preemptions; null where not recorded
-- out:      instances BIGINT | instances that served a request

WITH grouped AS (
    SELECT
        run_id AS run,
        count(*) AS requests,
        sum(ttft_ns) / nullif(count(ttft_ns), 0) AS ttft_mean,
        quantile_cont(ttft_ns, [0.5, 0.99]) AS ttft,
        quantile_cont(CASE WHEN output_tokens > 1 THEN (e2e_ns - ttft_ns) / (output_tokens - 1) END, [0.5, 0.99])
            AS tpot,
        quantile_cont(e2e_ns, [0.5, 0.99]) AS e2e,
        sum(cached_tokens) / nullif(sum(input_tokens), 0) AS cached_share,
        CAST(sum(preemptions) AS BIGINT) AS preempted,
        count(DISTINCT instance_id) AS instances
    FROM trace
    WHERE warmup IS NOT TRUE
    GROUP BY run_id
)
SELECT
    run,
    CASE WHEN run IS NOT NULL THEN regexp_replace(run, '__x[^_]*__s\d+$', '') END AS router,
    requests,
    ttft_mean / 1e9 AS ttft_mean_s,
    ttft[1] / 1e9 AS ttft_p50_s,
    ttft[2] / 1e9 AS ttft_p99_s,
    tpot[1] / 1e9 AS tpot_p50_s,
    tpot[2] / 1e9 AS tpot_p99_s,
    e2e[1] / 1e9 AS e2e_p50_s,
    e2e[2] / 1e9 AS e2e_p99_s,
    cached_share,
    preempted,
    instances
FROM grouped
ORDER BY run;
