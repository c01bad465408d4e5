WITH
  ridden AS (
   SELECT
     rider_id
   , count(*) trips
   , sum(distance_km) km
   , max(started_at) last_trip_at
   FROM
     trips
   GROUP BY rider_id
)
SELECT
  r.rider_id
, r.city
, r.country
, (year(current_date) - r.birth_year) age
, ridden.trips
, ridden.km
, ridden.last_trip_at
, date_diff('day', ridden.last_trip_at, current_timestamp) days_silent
FROM
  (riders r
INNER JOIN ridden ON (ridden.rider_id = r.rider_id))
