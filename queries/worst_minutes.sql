-- title:    Worst minutes
-- topic:    service_levels
-- question: When did users wait longest?
-- param:    least BIGINT = 20 | requests with a TTFT that a minute must have to be judged
-- param:    listed BIGINT = 10 | minutes listed, worst first
-- in:       arrival_ns, ttft_ns, input_tokens, warmup
-- out:      minute BIGINT | since the first arrival
-- out:      requests BIGINT | with a recorded TTFT
-- out:      prompt_tokens BIGINT | of those
-- out:      ttft_p50_s DOUBLE |
-- out:      ttft_p90_s DOUBLE | what minutes are ordered by; the earlier of equals first
-- out:      ttft_max_s DOUBLE |

WITH measured AS (
    SELECT (arrival_ns - min(arrival_ns) OVER ()) // 60000000000 AS minute, ttft_ns, input_tokens
    FROM trace
    WHERE warmup IS NOT TRUE
),
grouped AS (
    SELECT
        minute,
        count(*) AS requests,
        CAST(sum(input_tokens) AS BIGINT) AS prompt_tokens,
        quantile_cont(ttft_ns, [0.5, 0.9]) AS ttft,
        max(ttft_ns) AS ttft_max
    FROM measured
    WHERE ttft_ns IS NOT NULL
    GROUP BY minute
)
SELECT
    minute,
    requests,
    prompt_tokens,
    ttft[1] / 1e9 AS ttft_p50_s,
    ttft[2] / 1e9 AS ttft_p90_s,
    ttft_max / 1e9 AS ttft_max_s
FROM grouped
WHERE requests >= $least
ORDER BY ttft_p90_s DESC, minute
LIMIT $listed;
