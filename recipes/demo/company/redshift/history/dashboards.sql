-- User `dashboards`: what the dashboard server asks, over and over.
--= user=dashboards session=1074300001 until=2026-03-06

--@ 2026-03-02T07:00:00Z took=0s
SET statement_timeout TO 60000

--@ 2026-03-02T07:00:05Z took=2s
SELECT "city_daily"."city" AS "city", SUM("city_daily"."net_revenue") AS "sum:net_revenue:ok", DATE_TRUNC('DAY', CAST("city_daily"."day" AS TIMESTAMP WITHOUT TIME ZONE)) AS "tdy:day:ok" FROM "marts"."city_daily" "city_daily" WHERE ("city_daily"."day" >= (DATE '${date}')) GROUP BY 1, 3

--@ 2026-03-02T07:00:09Z took=3s
DECLARE "SQL_CUR0x55d1" CURSOR WITH HOLD FOR SELECT station_name, week, outage_minutes FROM marts.mv_station_week ORDER BY outage_minutes DESC LIMIT 500

--@ 2026-03-02T07:00:10Z took=0s
FETCH FORWARD 500 FROM "SQL_CUR0x55d1"

--@ 2026-03-02T07:00:11Z took=0s
CLOSE "SQL_CUR0x55d1"
