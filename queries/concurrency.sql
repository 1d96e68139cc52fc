-- title:    Requests in flight
-- topic:    concurrency
-- question: How many requests does the service hold at once, and does Little's law agree?
-- in:       arrival_ns, e2e_ns, warmup
-- out:      requests BIGINT | with a recorded duration
-- out:      peak BIGINT | most at one moment
-- out:      mean DOUBLE | over the time from the first arrival to the last end
-- out:      little_l DOUBLE | time integral of the requests in flight / span of the arrivals
-- out:      little_lambda_w DOUBLE | rate over that span x mean duration: the same, but for rounding

WITH measured AS (
    SELECT arrival_ns, e2e_ns FROM trace WHERE warmup IS NOT TRUE AND e2e_ns >= 0
),
events AS (
    SELECT arrival_ns AS moment, 1 AS step FROM measured
    UNION ALL
    SELECT arrival_ns + e2e_ns, -1 FROM measured
),
moments AS (
    SELECT moment, sum(step) AS step FROM events GROUP BY moment
),
levels AS (
    SELECT
        sum(step) OVER (ORDER BY moment) AS level,
        lead(moment) OVER (ORDER BY moment) - moment AS lasts_ns
    FROM moments
),
swept AS (
    SELECT max(level) AS peak, sum(level * lasts_ns) AS area, sum(lasts_ns) AS whole_ns FROM levels
),
totals AS (
    SELECT count(*) AS requests, sum(e2e_ns) AS busy, max(arrival_ns) - min(arrival_ns) AS span_ns FROM measured
)
SELECT
    requests,
    CAST(peak AS BIGINT) AS peak,
    area / nullif(whole_ns, 0) AS mean,
    area / nullif(span_ns, 0) AS little_l,
    busy / nullif(span_ns, 0) AS little_lambda_w
FROM totals, swept;
