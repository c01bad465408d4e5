create view marts.v_lake_trips as
select t.trip_id, t.city, t.started_at, t.fare_amount, r.plan_name, w.rain_mm
from lake.trips t
left join core.v_current_riders r on r.rider_id = t.rider_id
left join lake.weather_daily w on w.city = t.city and w.day = trunc(t.started_at)
with no schema binding;
