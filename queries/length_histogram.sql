-- title:    Length histogram
-- topic:    lengths
-- question: How are prompt and output lengths distributed?
-- param:    bin_tokens BIGINT = 256 | width of a bin, tokens
-- in:       input_tokens, output_tokens?, warmup
-- out:      tokens_from BIGINT | start of the bin
-- out:      tokens_below BIGINT | end of the bin, itself outside
-- out:      inputs BIGINT | prompts of such a length
-- out:      outputs BIGINT | recorded outputs of such a length

WITH sized AS (
    SELECT CASE WHEN $bin_tokens >= 1 THEN $bin_tokens ELSE error('bin_tokens must be 1 or more') END AS width
),
binned AS (
    SELECT
        CAST(input_tokens AS BIGINT) // width AS input_bin,
        CAST(output_tokens AS BIGINT) // width AS output_bin
    FROM trace, sized
    WHERE warmup IS NOT TRUE
),
counted AS (
    SELECT input_bin AS bin, count(*) AS inputs, 0 AS outputs FROM binned GROUP BY input_bin
    UNION ALL
    SELECT output_bin, 0, count(*) FROM binned WHERE output_bin IS NOT NULL GROUP BY output_bin
)
SELECT
    CAST(bin * $bin_tokens AS BIGINT) AS tokens_from,
    CAST((bin + 1) * $bin_tokens AS BIGINT) AS tokens_below,
    CAST(sum(inputs) AS BIGINT) AS inputs,
    CAST(sum(outputs) AS BIGINT) AS outputs
FROM counted
GROUP BY bin
ORDER BY bin;
