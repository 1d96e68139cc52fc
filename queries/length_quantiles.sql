-- title:    Length quantiles
-- topic:    lengths
-- question: How long are prompts and outputs?
-- in:       input_tokens, output_tokens?, warmup
-- out:      column VARCHAR | input_tokens, then output_tokens
-- out:      n BIGINT | rows with a value; the rest is null where there are none
-- out:      sum BIGINT | tokens in all
-- out:      mean DOUBLE | sum / n
-- out:      p50 DOUBLE | linear quantiles, as everywhere
-- out:      p90 DOUBLE |
-- out:      p95 DOUBLE |
-- out:      p99 DOUBLE |
-- out:      max BIGINT | the longest

WITH measured AS (
    SELECT input_tokens, output_tokens FROM trace WHERE warmup IS NOT TRUE
),
summed AS (
    SELECT
        1 AS place,
        'input_tokens' AS "column",
        count(input_tokens) AS n,
        CAST(sum(input_tokens) AS BIGINT) AS sum,
        quantile_cont(input_tokens, [0.5, 0.9, 0.95, 0.99]) AS quantiles,
        CAST(max(input_tokens) AS BIGINT) AS max
    FROM measured
    UNION ALL
    SELECT
        2,
        'output_tokens',
        count(output_tokens),
        CAST(sum(output_tokens) AS BIGINT),
        quantile_cont(output_tokens, [0.5, 0.9, 0.95, 0.99]),
        CAST(max(output_tokens) AS BIGINT)
    FROM measured
)
SELECT
    "column",
    n,
    sum,
    sum / nullif(n, 0) AS mean,
    quantiles[1] AS p50,
    quantiles[2] AS p90,
    quantiles[3] AS p95,
    quantiles[4] AS p99,
    max
FROM summed
ORDER BY place;
