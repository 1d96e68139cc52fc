-- title:    Prefix ceiling
-- topic:    prefix
-- question: How much of the prompts would an unbounded prefix cache serve?
-- in:       arrival_ns, row_id, input_tokens, block_ids, block_size, warmup
-- out:      requests BIGINT | that record blocks
-- out:      blocks BIGINT | block uses
-- out:      unique_blocks BIGINT | distinct blocks; their ids must name prefixes, as the schema asks
-- out:      block_hit_ratio DOUBLE | blocks that an earlier request had / blocks
-- out:      token_hit_ratio DOUBLE | hit tokens / input tokens; h hit blocks hold min(h * block size, input)
-- out:      token_hit_ratio_last_half DOUBLE | the same over the later half of the requests
-- out:      mean_request_hit_ratio DOUBLE | mean over requests of hit tokens / input tokens
-- out:      full_block_hit_ratio DOUBLE | hit full blocks / full blocks

WITH measured AS (
    SELECT
        row_number() OVER (ORDER BY arrival_ns, row_id) AS place,
        CAST(input_tokens AS BIGINT) AS prompt,
        CAST(block_size AS BIGINT) AS size,
        block_ids
    FROM trace
    WHERE warmup IS NOT TRUE AND block_ids IS NOT NULL
),
uses AS (
    SELECT place, unnest(block_ids) AS block FROM measured
),
first_uses AS (
    SELECT block, min(place) AS first_place FROM uses GROUP BY block
),
hits AS (
    SELECT place, count(*) AS hit FROM uses JOIN first_uses USING (block) WHERE first_place < place GROUP BY place
),
judged AS (
    SELECT
        place > count(*) OVER () // 2 AS late,
        prompt,
        len(block_ids) AS blocks,
        coalesce(hit, 0) AS hit,
        least(coalesce(hit, 0) * size, prompt) AS hit_prompt,
        prompt // size AS full_blocks
    FROM measured LEFT JOIN hits USING (place)
)
SELECT
    count(*) AS requests,
    CAST(coalesce(sum(blocks), 0) AS BIGINT) AS blocks,
    (SELECT count(*) FROM first_uses) AS unique_blocks,
    sum(hit) / nullif(sum(blocks), 0) AS block_hit_ratio,
    sum(hit_prompt) / nullif(sum(prompt), 0) AS token_hit_ratio,
    sum(hit_prompt) FILTER (late) / nullif(sum(prompt) FILTER (late), 0) AS token_hit_ratio_last_half,
    CAST(sum(CAST(hit_prompt / nullif(prompt, 0) AS DECIMAL(28, 15))) AS DOUBLE)
        / nullif(count(*) FILTER (prompt > 0), 0) AS mean_request_hit_ratio,
    sum(least(hit, full_blocks)) / nullif(sum(full_blocks), 0) AS full_block_hit_ratio
FROM judged;
