-- User `admin`: schemas, rights, maintenance.
--= user=admin session=1074200001

--@ 2026-02-28T23:40:00Z took=95s
VACUUM FULL core.fct_trip TO 99 PERCENT

--@ 2026-03-01T08:00:00Z took=1s
CREATE EXTERNAL SCHEMA IF NOT EXISTS lake
FROM DATA CATALOG DATABASE 'rides_curated'
IAM_ROLE 'arn:aws:iam::123456789012:role/redshift-spectrum'
REGION 'eu-central-1'

--@ 2026-03-01T08:01:00Z took=0s
GRANT USAGE ON SCHEMA lake TO ROLE analyst

--@ 2026-03-01T08:02:00Z took=0s
GRANT SELECT ON ALL TABLES IN SCHEMA marts TO dashboards, mkeller

--@ 2026-03-01T08:10:00Z took=30s
VACUUM DELETE ONLY core.fct_payment

--@ 2026-03-01T08:12:00Z took=11s
ANALYZE core.fct_trip PREDICATE COLUMNS

--@ 2026-03-02T08:00:00Z took=6s
CREATE MATERIALIZED VIEW marts.mv_station_week
DISTKEY (station_id) SORTKEY (week)
AUTO REFRESH YES
AS
SELECT station_id, station_name, DATE_TRUNC('week', day)::date AS week,
       SUM(departures) AS departures, SUM(outage_minutes) AS outage_minutes
FROM marts.station_daily
GROUP BY station_id, station_name, DATE_TRUNC('week', day)::date

--@ 2026-03-05T08:00:00Z took=4s
REFRESH MATERIALIZED VIEW marts.mv_station_week

--@ 2026-03-05T08:10:00Z took=1s
CREATE OR REPLACE VIEW marts.v_city_month AS
SELECT c.city,
       DATE_TRUNC('month', c.day)::date AS month,
       SUM(c.trips) AS trips,
       SUM(c.net_revenue) AS net_revenue,
       RANK() OVER (PARTITION BY DATE_TRUNC('month', c.day)::date ORDER BY SUM(c.net_revenue) DESC) AS revenue_rank
FROM marts.city_daily c
GROUP BY c.city, DATE_TRUNC('month', c.day)::date

--@ 2026-03-05T08:20:00Z took=2s
ALTER TABLE core.fct_trip ALTER SORTKEY (started_at)

--@ 2026-03-05T08:30:00Z took=1s
COMMENT ON TABLE marts.rider_features IS 'One wide row a rider, input of the churn model.'
