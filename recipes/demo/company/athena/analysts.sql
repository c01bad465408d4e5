-- Work group `analysts`: people at a console, a notebook, a dashboard.
--= database=marketing state=SUCCEEDED principal=AWSReservedSSO_Analyst_5e1f0c2ab9d84e77/lea.sommer@ringelrad.example

--@ 2026-03-02T08:41:17Z took=1s
SHOW TABLES IN marketing

--@ 2026-03-02T08:41:40Z took=1s
DESCRIBE marketing.campaign_touches

--@ 2026-03-02T08:42:05Z took=3s scanned=12MB
SELECT * FROM "marketing"."campaign_touches" LIMIT 10;

--@ 2026-03-02T08:50:33Z took=2s
CREATE OR REPLACE VIEW v_campaign_roi AS
WITH spent AS (
    SELECT campaign_id, CAST(date_parse(month, '%Y-%m') AS date) AS month, count(*) AS touches, sum(cost) AS cost
    FROM campaign_touches
    GROUP BY 1, 2
),
earned AS (
    SELECT v.campaign_id, CAST(date_trunc('month', v.redeemed_at) AS date) AS month, sum(p.net_amount) AS revenue
    FROM voucher_redemptions v
    JOIN rides_curated.payments p ON p.trip_id = v.trip_id
    GROUP BY 1, 2
)
SELECT c.campaign_id, c.name, c.channel, s.month, s.touches, s.cost, e.revenue,
       CAST(e.revenue AS double) / NULLIF(CAST(s.cost AS double), 0) AS roi
FROM campaigns c
JOIN spent s ON s.campaign_id = c.campaign_id
LEFT JOIN earned e ON e.campaign_id = s.campaign_id AND e.month = s.month

--@ 2026-03-02T09:05:00Z took=44s scanned=720MB
CREATE TABLE marketing.reactivation_candidates
WITH (format = 'PARQUET', external_location = 's3://ringelrad-marketing/ctas/reactivation_candidates/') AS
SELECT a.rider_id,
       a.city,
       a.days_silent,
       a.trips AS lifetime_trips,
       sum(p.net_amount) AS lost_value
FROM rides_curated.v_active_riders a
LEFT JOIN rides_curated.payments p ON p.rider_id = a.rider_id
WHERE a.days_silent > 30
  AND NOT EXISTS (SELECT 1 FROM campaign_touches t WHERE t.rider_id = a.rider_id AND t.month = '2026-02')
GROUP BY a.rider_id, a.city, a.days_silent, a.trips

--@ 2026-03-02T09:20:00Z took=8s scanned=30MB
INSERT INTO audiences (audience, rider_id, city, reason, built_at)
SELECT 'spring-return',
       rider_id,
       city,
       format('silent for %d days, %d trips before', days_silent, lifetime_trips),
       CAST(localtimestamp AS timestamp(6))
FROM reactivation_candidates
WHERE city IN ('hamburg', 'leipzig')

--@ 2026-03-03T14:00:00Z took=6s scanned=28MB
MERGE INTO audiences AS a
USING (
    SELECT DISTINCT n.recipient.rider_id AS rider_id, r.city, l.url
    FROM newsletter_clicks n
    CROSS JOIN UNNEST(n.links) AS l (url, clicked_at)
    JOIN rides_curated.riders r ON r.rider_id = n.recipient.rider_id
    WHERE n.dt >= '2026-03-01' AND n.utm['campaign'] = 'spring'
) AS c
ON a.rider_id = c.rider_id AND a.audience = 'spring-clickers'
WHEN NOT MATCHED THEN
    INSERT (audience, rider_id, city, reason, built_at)
    VALUES ('spring-clickers', c.rider_id, c.city, c.url, CAST(localtimestamp AS timestamp(6)))

--@ 2026-03-03T14:10:00Z took=2s scanned=1MB
DELETE FROM audiences
WHERE audience = 'winter-service'

--@ 2026-03-03T15:30:29Z took=1s state=FAILED error="COLUMN_NOT_FOUND: line 1:8: Column 'citty' cannot be resolved or requester is not authorized to access requested resources"
SELECT citty, count(*) FROM trips GROUP BY 1

--@ 2026-03-03T15:30:51Z took=5s principal=AWSReservedSSO_Analyst_5e1f0c2ab9d84e77/tomas.reh@ringelrad.example scanned=14MB
SELECT city, count(*) FROM trips GROUP BY 1

--@ 2026-03-04T07:00:02Z until=2026-03-07 took=4s scanned=6MB database=rides_analytics
/* dashboard: city overview */ SELECT "city", "month", "net_revenue", "growth" FROM "rides_analytics"."v_management_summary" WHERE "month" >= date_add('month', -12, current_date) ORDER BY "month" DESC, "net_revenue" DESC

--@ 2026-03-04T10:11:12Z took=2s database=rides_analytics
CREATE OR REPLACE VIEW v_rider_value AS
SELECT s.rider_id,
       COALESCE(r.city, s.city) AS home_city,
       s.ltv_eur,
       s.churn_risk,
       s.segment,
       COALESCE(r.marketing_consent, false) AS may_be_contacted,
       s.scored_on
FROM rider_value_scores s
LEFT JOIN rides_curated.riders r ON r.rider_id = s.rider_id
WHERE s.scored_on = (SELECT max(scored_on) FROM rider_value_scores)

--@ 2026-03-04T11:00:00Z took=11s scanned=45MB database=default
PREPARE touches_of FROM
SELECT t.touched_at, c.name, t.cost
FROM marketing.campaign_touches t JOIN marketing.campaigns c ON c.campaign_id = t.campaign_id
WHERE t.rider_id = ?

--@ 2026-03-04T11:00:20Z took=3s scanned=45MB database=default
EXECUTE touches_of USING 'R-0048213'

--@ 2026-03-05T09:00:00Z took=18s principal=AWSReservedSSO_Analyst_5e1f0c2ab9d84e77/tomas.reh@ringelrad.example scanned=3MB
-- who of our business customers rides? (crm_postgres is a connector to the sales team's database)
CREATE TABLE marketing.business_riders
WITH (format = 'PARQUET', external_location = 's3://ringelrad-marketing/ctas/business_riders/') AS
SELECT k.account_id, k.company_name, r.rider_id, r.city
FROM "crm_postgres"."public"."accounts" k
JOIN rides_curated.riders r ON r.email_domain = k.email_domain

--@ 2026-03-05T09:40:00Z took=9s scanned=2MB database=rides_curated
SELECT s.district, o.district_population, count(*) AS stations
FROM stations s
JOIN city_open_data.districts o ON o.city = s.city AND o.district = s.district
GROUP BY 1, 2

--@ 2026-03-05T16:05:00Z took=1s
EXPLAIN SELECT * FROM v_reactivation_audience WHERE priority <= 100

--@ 2026-03-06T08:15:00Z took=13s principal=AWSReservedSSO_Analyst_5e1f0c2ab9d84e77/tomas.reh@ringelrad.example scanned=8MB
UNLOAD (SELECT rider_id, city, segment, priority FROM v_reactivation_audience WHERE priority <= 500)
TO 's3://ringelrad-exchange/to_mailing/reactivation/day=2026-03-06/'
WITH (format = 'JSON', compression = 'GZIP')

--@ 2026-03-06T08:30:00Z took=7s scanned=55MB
SELECT approx_percentile(ltv_eur, 0.5) AS median_value,
       map_agg(segment, n) AS by_segment
FROM (SELECT segment, ltv_eur, count(*) OVER (PARTITION BY segment) AS n FROM rides_analytics.v_rider_value)

--@ 2026-03-06T17:45:00Z took=310s scanned=91000MB state=CANCELLED
SELECT * FROM rides_curated.trip_waypoints w JOIN rides_raw.station_status s ON w.city = s.station_id

--@ 2026-03-06T18:02:00Z took=12s principal=AWSReservedSSO_Analyst_5e1f0c2ab9d84e77/ines.brandt@ringelrad.example scanned=61MB
INSERT INTO reactivation_candidates
SELECT rider_id, city, days_silent, trips, NULL FROM rides_curated.v_active_riders WHERE days_silent BETWEEN 25 AND 30
