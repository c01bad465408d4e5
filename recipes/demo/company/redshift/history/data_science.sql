-- People of data science, at a notebook.
--= user=mkeller session=1074010101

--@ 2026-03-03T07:15:00Z took=0s
SET search_path TO marts, core, public;

--@ 2026-03-03T07:15:05Z took=0s
DROP TABLE IF EXISTS #trips;

--@ 2026-03-03T07:15:06Z took=14s
SELECT trip_id, rider_id, city, start_station_id, end_station_id, started_at, duration_s, distance_km,
       EXTRACT(dow FROM started_at) AS dow, EXTRACT(hour FROM started_at) AS hr
INTO #trips
FROM fct_trip
WHERE started_at >= DATEADD(day, -365, GETDATE()) AND ended_at IS NOT NULL;

--@ 2026-03-03T07:16:00Z took=88s
-- rider_features, third edition (MK, January 2026)
-- One row a rider that rode within the last year. Times are UTC: the rush hours below are therefore an hour or two
-- off, the same for all five cities, which does no harm to the model. Money is net of VAT. Refunds are counted,
-- not subtracted: what was refunded is a signal of its own, and the model is to see it as one.
INSERT INTO marts.rider_features
    (rider_id, city, trips_7d, trips_30d, trips_90d, km_90d, net_90d, net_total, weekend_share, rush_hour_share,
     avg_minutes, stations_used, days_since_last_trip, cancellations, refunds_90d, wallet_share, built_on)
WITH
-- ------------------------------------------------------------------ riding: how often, how far, when
riding AS (
    SELECT
        t.rider_id,
        SUM(CASE WHEN t.started_at >= DATEADD(day, -7, GETDATE()) THEN 1 ELSE 0 END)                   AS trips_7d,
        SUM(CASE WHEN t.started_at >= DATEADD(day, -30, GETDATE()) THEN 1 ELSE 0 END)                  AS trips_30d,
        SUM(CASE WHEN t.started_at >= DATEADD(day, -90, GETDATE()) THEN 1 ELSE 0 END)                  AS trips_90d,
        SUM(CASE WHEN t.started_at >= DATEADD(day, -90, GETDATE()) THEN t.distance_km ELSE 0 END)      AS km_90d,
        AVG(CASE WHEN t.dow IN (0, 6) THEN 1.0 ELSE 0.0 END)                                           AS weekend_share,
        AVG(CASE WHEN t.dow NOT IN (0, 6) AND (t.hr BETWEEN 6 AND 8 OR t.hr BETWEEN 15 AND 17)
                 THEN 1.0 ELSE 0.0 END)                                                                AS rush_hour_share,
        AVG(t.duration_s / 60.0)                                                                       AS avg_minutes,
        COUNT(DISTINCT t.start_station_id)                                                             AS stations_used,
        DATEDIFF(day, MAX(t.started_at), GETDATE())                                                    AS days_since_last_trip
    FROM #trips t
    GROUP BY t.rider_id
),
-- ------------------------------------------------------------------ trips that were given up within two minutes
given_up AS (
    SELECT
        rider_id,
        COUNT(*) AS cancellations
    FROM #trips
    WHERE duration_s < 120
      AND start_station_id = end_station_id
      AND NVL(distance_km, 0) < 0.1
    GROUP BY rider_id
),
-- ------------------------------------------------------------------ paying: how much, and with what
paying AS (
    SELECT
        p.rider_id,
        SUM(p.net_amount)                                                                              AS net_total,
        SUM(CASE WHEN p.paid_on >= CURRENT_DATE - 90 THEN p.net_amount ELSE 0 END)                     AS net_90d,
        AVG(CASE WHEN p.method IN ('apple_pay', 'google_pay') THEN 1.0 ELSE 0.0 END)                   AS wallet_share
    FROM core.fct_payment p
    GROUP BY p.rider_id
),
-- ------------------------------------------------------------------ complaining: refunds, by way of the payment
complaining AS (
    SELECT
        p.rider_id,
        COUNT(r.refund_id)                                                                             AS refunds_90d
    FROM core.fct_refund r
    JOIN core.fct_payment p
      ON p.payment_id = r.payment_id
    WHERE r.refunded_on >= CURRENT_DATE - 90
      AND r.reason NOT ILIKE '%duplicate%'
      AND r.reason NOT ILIKE '%test%'
    GROUP BY p.rider_id
)
-- ------------------------------------------------------------------ all of it, one row a rider
SELECT
    d.rider_id,
    d.city,
    NVL(riding.trips_7d, 0),
    NVL(riding.trips_30d, 0),
    NVL(riding.trips_90d, 0),
    NVL(riding.km_90d, 0),
    NVL(paying.net_90d, 0),
    NVL(paying.net_total, 0),
    riding.weekend_share,
    riding.rush_hour_share,
    riding.avg_minutes,
    NVL(riding.stations_used, 0),
    riding.days_since_last_trip,
    NVL(given_up.cancellations, 0),
    NVL(complaining.refunds_90d, 0),
    paying.wallet_share,
    CURRENT_DATE
FROM core.v_current_riders d
JOIN riding            ON riding.rider_id      = d.rider_id
LEFT JOIN paying       ON paying.rider_id      = d.rider_id
LEFT JOIN given_up     ON given_up.rider_id    = d.rider_id
LEFT JOIN complaining  ON complaining.rider_id = d.rider_id
WHERE riding.days_since_last_trip <= 365;

--@ 2026-03-03T07:18:00Z took=9s
CREATE TEMP TABLE scored AS
SELECT f.rider_id,
       f.city,
       (f.net_total + 4 * f.net_90d)::numeric(12,2) AS ltv_eur,
       f.trips_90d,
       1.0 / (1.0 + EXP(2.2 - 0.04 * f.days_since_last_trip + 0.11 * f.trips_30d)) AS churn_risk,
       NTILE(10) OVER (PARTITION BY f.city ORDER BY f.net_total DESC) AS decile
FROM rider_features f
WHERE f.built_on = CURRENT_DATE;

--@ 2026-03-03T07:18:10Z took=0s
BEGIN;

--@ 2026-03-03T07:18:11Z took=2s
INSERT INTO rider_value_history (rider_id, ltv_eur, segment, scored_on)
SELECT rider_id, ltv_eur, segment, scored_on FROM rider_value;

--@ 2026-03-03T07:18:14Z took=1s
DELETE FROM rider_value;

--@ 2026-03-03T07:18:16Z took=3s
INSERT INTO rider_value
SELECT s.rider_id, s.city, s.ltv_eur, s.trips_90d, s.churn_risk,
       CASE
           WHEN s.decile = 1 AND s.churn_risk < 0.3 THEN 'champion'
           WHEN s.decile <= 3 THEN 'regular'
           WHEN s.churn_risk >= 0.7 THEN 'leaving'
           ELSE 'occasional'
       END,
       CURRENT_DATE
FROM scored s;

--@ 2026-03-03T07:18:20Z took=0s
COMMIT;

--@ 2026-03-03T07:20:00Z took=11s
UNLOAD ('SELECT rider_id, city, ltv_eur, trips_90d, churn_risk, segment, scored_on FROM marts.rider_value WHERE segment <> ''test''')
TO 's3://ringelrad-exchange/from_redshift/rider_value/'
IAM_ROLE 'arn:aws:iam::123456789012:role/redshift-unload'
FORMAT AS PARQUET
PARTITION BY (scored_on)
ALLOWOVERWRITE;

--= user=sbauer session=1074010555

--@ 2026-03-04T09:00:00Z took=8s
SELECT * INTO public.trips_sample FROM core.fct_trip WHERE RANDOM() < 0.01;

--@ 2026-03-04T09:01:00Z took=3s
CREATE TABLE public.pair_flows AS
SELECT a.city, a.station_name AS "from", z.station_name AS "to", COUNT(*) AS trips, MEDIAN(s.duration_s) AS median_s
FROM public.trips_sample s
JOIN core.dim_station a ON a.station_id = s.start_station_id
JOIN core.dim_station z ON z.station_id = s.end_station_id
GROUP BY 1, 2, 3
QUALIFY ROW_NUMBER() OVER (PARTITION BY a.city ORDER BY COUNT(*) DESC) <= 50;

--@ 2026-03-04T09:05:00Z took=4s
INSERT INTO marts.plan_mix (city, free_riders, flex_riders, abo_riders)
SELECT city, free, flex, abo
FROM (SELECT city, plan_name, rider_id FROM core.v_current_riders)
PIVOT (COUNT(rider_id) FOR plan_name IN ('free', 'flex', 'abo'));

--@ 2026-03-04T09:20:00Z took=2s
-- legacy tables were dropped last year, the copy below still ran from an old notebook
INSERT INTO public.trips_sample SELECT * FROM legacy.trips_2019;

--@ 2026-03-04T09:30:00Z took=0s
BEGIN;

--@ 2026-03-04T09:30:05Z took=4s
UPDATE core.dim_rider SET plan_name = 'abo' FROM staging.riders_load r WHERE r.monthly_fee > 0 AND dim_rider.rider_id = r.rider_id;

--@ 2026-03-04T09:30:40Z took=1s
INSERT INTO marts.rider_value_history SELECT rider_id, monthly_fee, plan_name, CURRENT_DATE FROM core.dim_rider;

--@ 2026-03-04T09:31:00Z took=0s
ROLLBACK;

--@ 2026-03-04T09:40:00Z took=6s
SELECT a.account_id, COUNT(*) FROM crm.accounts a JOIN core.v_current_riders r ON r.city = a.city GROUP BY 1;

--@ 2026-03-04T09:45:00Z took=0s status=failed error="syntax error at or near \"{\""
SELECT * FROM {{ ref('rider_value') }} LIMIT 10;
