-- title:    Token cost by tenant
-- topic:    tenants
-- question: What would each tenant's tokens cost at these prices?
-- param:    input_price DOUBLE = 1 | per million prompt tokens that were not cached
-- param:    cached_price DOUBLE = 0.1 | per million cached prompt tokens
-- param:    output_price DOUBLE = 4 | per million generated tokens
-- in:       tenant_id, input_tokens, cached_tokens?, output_tokens?, warmup
-- out:      tenant VARCHAR | null, last: requests that name no tenant
-- out:      requests BIGINT |
-- out:      new_prompt BIGINT | prompt tokens less cached ones; without a record none were cached
-- out:      cached_prompt BIGINT | cached prompt tokens
-- out:      generated BIGINT | recorded output tokens
-- out:      cost DOUBLE | in the currency of the prices; largest first
-- out:      cost_share DOUBLE | of the whole; null where that is 0

WITH counted AS (
    SELECT
        tenant_id AS tenant,
        count(*) AS requests,
        CAST(sum(input_tokens) AS BIGINT) AS prompt,
        CAST(coalesce(sum(least(cached_tokens, input_tokens)), 0) AS BIGINT) AS cached_prompt,
        CAST(coalesce(sum(output_tokens), 0) AS BIGINT) AS generated
    FROM trace
    WHERE warmup IS NOT TRUE
    GROUP BY tenant_id
),
priced AS (
    SELECT
        *,
        prompt - cached_prompt AS new_prompt,
        (new_prompt * $input_price + cached_prompt * $cached_price + generated * $output_price) / 1e6 AS cost
    FROM counted
)
SELECT
    tenant,
    requests,
    new_prompt,
    cached_prompt,
    generated,
    cost,
    cost / nullif(sum(cost) OVER (ORDER BY tenant NULLS LAST ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING), 0)
        AS cost_share
FROM priced
ORDER BY tenant IS NULL, cost DESC, tenant;
