CREATE MATERIALIZED VIEW marts.mv_station_week
DISTKEY (station_id) SORTKEY (week)
AUTO REFRESH YES
AS
SELECT station_id, station_name, DATE_TRUNC('week', day)::date AS week,
       SUM(departures) AS departures, SUM(outage_minutes) AS outage_minutes
FROM marts.station_daily
GROUP BY station_id, station_name, DATE_TRUNC('week', day)::date;
