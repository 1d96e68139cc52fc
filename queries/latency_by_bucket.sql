-- title:    Latency by prompt length
-- topic:    service_levels
-- question: How do latencies grow with the prompt?
-- in:       input_tokens, output_tokens?, ttft_ns, e2e_ns, warmup
-- out:      input_from BIGINT | start of the bucket, tokens
-- out:      input_below BIGINT | end of the bucket, itself outside; null for the last
-- out:      requests BIGINT | with or without timings
-- out:      ttft_mean_s DOUBLE | time to first token
-- out:      ttft_p50_s DOUBLE |
-- out:      ttft_p99_s DOUBLE |
-- out:      tpot_p50_s DOUBLE | (e2e - ttft) / (output_tokens - 1), over outputs of 2 tokens or more
-- out:      tpot_p99_s DOUBLE |
-- out:      e2e_p50_s DOUBLE | arrival to last token
-- out:      e2e_p99_s DOUBLE |

WITH edges AS (
    SELECT unnest([0, 128, 512, 2048, 8192, 32768, 131072]) AS input_from,
           unnest([128, 512, 2048, 8192, 32768, 131072, NULL]) AS input_below
),
grouped AS (
    SELECT
        input_from,
        input_below,
        count(*) AS requests,
        sum(ttft_ns) / nullif(count(ttft_ns), 0) AS ttft_mean,
        quantile_cont(ttft_ns, [0.5, 0.99]) AS ttft,
        quantile_cont(CASE WHEN output_tokens > 1 THEN (e2e_ns - ttft_ns) / (output_tokens - 1) END, [0.5, 0.99])
            AS tpot,
        quantile_cont(e2e_ns, [0.5, 0.99]) AS e2e
    FROM trace JOIN edges ON input_tokens >= input_from AND (input_below IS NULL OR input_tokens < input_below)
    WHERE warmup IS NOT TRUE
    GROUP BY input_from, input_below
)
SELECT
    CAST(input_from AS BIGINT) AS input_from,
    CAST(input_below AS BIGINT) AS input_below,
    requests,
    ttft_mean / 1e9 AS ttft_mean_s,
    ttft[1] / 1e9 AS ttft_p50_s,
    ttft[2] / 1e9 AS ttft_p99_s,
    tpot[1] / 1e9 AS tpot_p50_s,
    tpot[2] / 1e9 AS tpot_p99_s,
    e2e[1] / 1e9 AS e2e_p50_s,
    e2e[2] / 1e9 AS e2e_p99_s
FROM grouped
ORDER BY input_from;
