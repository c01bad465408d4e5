SELECT
  t.trip_id
, t.rider_id
, t.city
, CAST(t.started_at AS date) day
, a.name start_station
, a.district
, z.name end_station
, round((t.duration_s / 6E1), 1) duration_min
, t.distance_km
, t.fare_amount
, w.rain_mm
, (CASE WHEN (w.rain_mm > 1E0) THEN 'wet' WHEN (w.avg_temperature_c < 3) THEN 'cold' ELSE 'fair' END) weather
FROM
  (((rides_curated.trips t
LEFT JOIN rides_curated.stations a ON (t.start_station_id = a.station_id))
LEFT JOIN rides_curated.stations z ON (t.end_station_id = z.station_id))
LEFT JOIN rides_curated.weather_daily w ON ((w.city = t.city) AND (w.day = CAST(t.started_at AS date))))
WHERE (t.ended_at IS NOT NULL)
