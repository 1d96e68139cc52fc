-- title:    Requests and tokens per minute
-- topic:    arrivals
-- question: How does the load change over time?
-- param:    bin_s DOUBLE = 60 | width of a bin, seconds
-- in:       arrival_ns, input_tokens, output_tokens?, warmup
-- out:      minute DOUBLE | start of the bin, minutes after the first arrival
-- out:      requests BIGINT | arrivals in the bin; the last bin is partial, as a rule
-- out:      input_tokens BIGINT | their prompt tokens
-- out:      output_tokens BIGINT | their generated tokens; null where no row of the bin records them
-- out:      rate_rps DOUBLE | requests / width of the bin

WITH measured AS (
    SELECT arrival_ns, input_tokens, output_tokens FROM trace WHERE warmup IS NOT TRUE
),
bounds AS (
    SELECT
        min(arrival_ns) AS first_ns,
        max(arrival_ns) AS last_ns,
        CASE WHEN $bin_s >= 1e-9 AND $bin_s <= 1e9 THEN CAST(round($bin_s * 1e9) AS BIGINT)
             ELSE error('bin_s must lie between 1e-9 and 1e9 seconds') END AS bin_ns
    FROM measured
),
sized AS (
    SELECT
        *,
        CASE WHEN (last_ns - first_ns) // bin_ns < 10000000 THEN (last_ns - first_ns) // bin_ns + 1
             WHEN first_ns IS NULL THEN 0
             ELSE error('over ten million bins: give a larger bin_s') END AS bins
    FROM bounds
),
counted AS (
    SELECT
        (arrival_ns - first_ns) // bin_ns AS bin,
        count(*) AS requests,
        sum(input_tokens) AS input_tokens,
        sum(output_tokens) AS output_tokens
    FROM measured, sized
    GROUP BY bin
),
every_bin AS (
    SELECT unnest(range(bins)) AS bin FROM sized
)
SELECT
    bin * $bin_s / 60 AS minute,
    coalesce(requests, 0) AS requests,
    CAST(coalesce(input_tokens, 0) AS BIGINT) AS input_tokens,
    CAST(CASE WHEN requests IS NULL THEN 0 ELSE output_tokens END AS BIGINT) AS output_tokens,
    coalesce(requests, 0) / $bin_s AS rate_rps
FROM every_bin LEFT JOIN counted USING (bin)
ORDER BY bin;
