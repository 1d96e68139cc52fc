-- title:    Continuation hazard
-- topic:    sessions
-- question: Having come so far, how likely is a session to go on?
-- param:    turns BIGINT = 30 | turns listed
-- in:       session_id, warmup
-- out:      at_turn BIGINT | from 1
-- out:      reached BIGINT | sessions with at least so many requests
-- out:      continued BIGINT | those with more
-- out:      probability DOUBLE | continued / reached

WITH sessions AS (
    SELECT count(*) AS length FROM trace WHERE warmup IS NOT TRUE AND session_id IS NOT NULL GROUP BY session_id
),
listed AS (
    SELECT unnest(range(1, CASE WHEN $turns BETWEEN 1 AND 100000 THEN $turns + 1
                                ELSE error('turns must lie between 1 and 100000') END)) AS at_turn
)
SELECT
    at_turn,
    count(*) FILTER (length >= at_turn) AS reached,
    count(*) FILTER (length > at_turn) AS continued,
    count(*) FILTER (length > at_turn) / count(*) FILTER (length >= at_turn) AS probability
FROM listed, sessions
GROUP BY at_turn
HAVING count(*) FILTER (length >= at_turn) > 0
ORDER BY at_turn;
