-- title:    Dispersion of counts
-- topic:    arrivals
-- question: Do requests come in bursts, and on which time scale?
-- in:       arrival_ns, warmup
-- out:      window_s DOUBLE | width of a window, from 0.1 s to 1 h
-- out:      windows BIGINT | complete windows since the first arrival; only widths with two or more are listed
-- out:      requests BIGINT | arrivals in them
-- out:      mean DOUBLE | requests per window
-- out:      dispersion DOUBLE | variance (n - 1 below) / mean of the counts; 1 for a Poisson process

WITH since AS (
    SELECT arrival_ns - min(arrival_ns) OVER () AS since_ns FROM trace WHERE warmup IS NOT TRUE
),
widths AS (
    SELECT window_s, CAST(round(window_s * 1e9) AS BIGINT) AS width_ns
    FROM (SELECT unnest([0.1, 1, 10, 60, 300, 3600]::DOUBLE[]) AS window_s)
),
sized AS (
    SELECT window_s, width_ns, max(since_ns) // width_ns AS windows
    FROM since, widths
    GROUP BY window_s, width_ns
),
counted AS (
    SELECT window_s, windows, since_ns // width_ns AS place, count(*) AS n
    FROM since, sized
    WHERE windows >= 2 AND since_ns < windows * width_ns
    GROUP BY window_s, windows, place
)
SELECT
    window_s,
    windows,
    CAST(sum(n) AS BIGINT) AS requests,
    sum(n) / windows AS mean,
    CAST(windows * sum(n * n) - sum(n) * sum(n) AS DOUBLE) / CAST((windows - 1) * sum(n) AS DOUBLE) AS dispersion
FROM counted
GROUP BY window_s, windows
ORDER BY window_s;
