-- title:    Turns per session
-- topic:    sessions
-- question: How long do conversations go on?
-- in:       session_id, warmup
-- out:      turns BIGINT | requests of a session
-- out:      sessions BIGINT | sessions with so many
-- out:      session_share DOUBLE | of all sessions
-- out:      requests BIGINT | requests in them
-- out:      request_share DOUBLE | of all requests with a session

WITH sessions AS (
    SELECT count(*) AS turns FROM trace WHERE warmup IS NOT TRUE AND session_id IS NOT NULL GROUP BY session_id
),
counted AS (
    SELECT turns, count(*) AS sessions, turns * count(*) AS requests FROM sessions GROUP BY turns
)
SELECT
    turns,
    sessions,
    sessions / sum(sessions) OVER () AS session_share,
    requests,
    requests / sum(requests) OVER () AS request_share
FROM counted
ORDER BY turns;
