-- title:    Service level by hour
-- topic:    service_levels
-- question: When were the targets missed?
-- param:    ttft_s DOUBLE = 1 | target for the time to first token, seconds
-- param:    tpot_s DOUBLE = 0.05 | target for the time per output token after it, seconds
-- in:       arrival_ns, ttft_ns, e2e_ns, output_tokens?, outcome?, warmup
-- out:      hour BIGINT | since the first arrival; hours without requests are left out
-- out:      requests BIGINT | that arrived in it
-- out:      served BIGINT | that ended well: outcome ok or, unrecorded, an end
-- out:      met BIGINT | served within both targets; an output of one token has no TPOT and meets any
-- out:      attainment DOUBLE | met / requests

WITH measured AS (
    SELECT
        (arrival_ns - min(arrival_ns) OVER ()) // 3600000000000 AS hour,
        CASE WHEN outcome IS NULL THEN e2e_ns IS NOT NULL ELSE outcome = 'ok' END AS good,
        ttft_ns / 1e9 <= $ttft_s AS soon,
        CASE WHEN output_tokens > 1 THEN (e2e_ns - ttft_ns) / 1e9 / (output_tokens - 1) <= $tpot_s
             ELSE true END AS steady
    FROM trace
    WHERE warmup IS NOT TRUE
)
SELECT
    hour,
    count(*) AS requests,
    count(*) FILTER (good) AS served,
    count(*) FILTER (good AND soon AND steady) AS met,
    count(*) FILTER (good AND soon AND steady) / count(*) AS attainment
FROM measured
GROUP BY hour
ORDER BY hour;
