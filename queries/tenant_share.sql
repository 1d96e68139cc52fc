-- title:    Share of each tenant
-- topic:    tenants
-- question: Which tenants make the load?
-- in:       tenant_id, input_tokens, output_tokens?, warmup
-- out:      tenant VARCHAR | requests that name no tenant are left out
-- out:      requests BIGINT | largest first
-- out:      share DOUBLE | of the requests
-- out:      cumulative_share DOUBLE | of this tenant and those above
-- out:      tokens BIGINT | input plus recorded output
-- out:      token_share DOUBLE | of all tokens; null where there are none

WITH counted AS (
    SELECT
        tenant_id AS tenant,
        count(*) AS requests,
        CAST(sum(CAST(input_tokens AS BIGINT) + coalesce(CAST(output_tokens AS BIGINT), 0)) AS BIGINT) AS tokens
    FROM trace
    WHERE warmup IS NOT TRUE AND tenant_id IS NOT NULL
    GROUP BY tenant_id
)
SELECT
    tenant,
    requests,
    requests / sum(requests) OVER () AS share,
    sum(requests) OVER (ORDER BY requests DESC, tenant) / sum(requests) OVER () AS cumulative_share,
    tokens,
    tokens / nullif(sum(tokens) OVER (), 0) AS token_share
FROM counted
ORDER BY requests DESC, tenant;
