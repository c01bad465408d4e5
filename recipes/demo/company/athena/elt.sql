-- Work group `elt`: the nightly jobs, started by a scheduler.
--
-- A line `--@` begins an execution: when it was submitted, and what differs from the line `--=` above it.
-- `until=` repeats it each day. `${date}` is the day before the run.
--= database=rides_curated state=SUCCEEDED principal=nightly-elt/1772323200123456789

--@ 2026-02-27T03:05:02Z until=2026-03-08 took=2s
ALTER TABLE rides_raw.trip_events ADD IF NOT EXISTS
  PARTITION (dt = '${date}', city = 'hamburg')
  PARTITION (dt = '${date}', city = 'leipzig')
  PARTITION (dt = '${date}', city = 'freiburg')
  PARTITION (dt = '${date}', city = 'graz')
  PARTITION (dt = '${date}', city = 'basel')

--@ 2026-03-01T03:06:40Z took=9s
MSCK REPAIR TABLE rides_raw.riders

--@ 2026-02-27T03:10:07Z until=2026-03-08 took=48s scanned=1720MB
-- dag=trips_nightly task=merge_trips day=${date}
MERGE INTO rides_curated.trips AS t
USING (
    SELECT
        trip_id,
        city,
        max_by(rider.id, occurred_at)                                       AS rider_id,
        max_by(bike.id, occurred_at)                                        AS bike_id,
        max_by(rider.plan, occurred_at)                                     AS plan,
        min_by(start_station_id, occurred_at)                               AS start_station_id,
        max_by(end_station_id, occurred_at)                                 AS end_station_id,
        min(occurred_at) FILTER (WHERE event_type = 'trip_started')         AS started_at,
        max(occurred_at) FILTER (WHERE event_type = 'trip_ended')           AS ended_at,
        max(fare.amount)                                                    AS fare_amount,
        max(fare.currency)                                                  AS currency,
        max_by(rider.device.app_version, occurred_at)                       AS app_version
    FROM rides_raw.trip_events
    WHERE dt = '${date}'
    GROUP BY trip_id, city
) AS s
ON t.trip_id = s.trip_id
WHEN MATCHED AND s.ended_at IS NOT NULL THEN UPDATE SET
    end_station_id = s.end_station_id,
    ended_at       = s.ended_at,
    duration_s     = date_diff('second', t.started_at, s.ended_at),
    fare_amount    = s.fare_amount,
    currency       = s.currency,
    updated_at     = CAST(current_timestamp AS timestamp(6))
WHEN NOT MATCHED THEN INSERT
    (trip_id, rider_id, bike_id, city, plan, start_station_id, end_station_id,
     started_at, ended_at, duration_s, fare_amount, currency, app_version, updated_at)
VALUES
    (s.trip_id, s.rider_id, s.bike_id, s.city, s.plan, s.start_station_id, s.end_station_id,
     s.started_at, s.ended_at, date_diff('second', s.started_at, s.ended_at), s.fare_amount, s.currency,
     s.app_version, CAST(current_timestamp AS timestamp(6)))

--@ 2026-02-27T03:14:31Z until=2026-03-08 took=77s scanned=2604MB
-- dag=trips_nightly task=waypoints day=${date}
INSERT INTO rides_curated.trip_waypoints
SELECT
    e.trip_id,
    w.seq,
    w.measured_at,
    w.lat,
    w.lon,
    w.speed_kmh,
    e.city,
    date(e.dt) AS dt
FROM rides_raw.trip_events AS e
CROSS JOIN UNNEST(e.waypoints) AS w (seq, measured_at, lat, lon, speed_kmh)
WHERE e.dt = '${date}'
  AND e.event_type = 'trip_ended'

--@ 2026-02-27T03:18:55Z until=2026-03-08 took=31s scanned=410MB
-- dag=trips_nightly task=distance day=${date}
MERGE INTO trips AS t
USING (
    WITH steps AS (
        SELECT
            trip_id,
            great_circle_distance(
                lag(lat) OVER (PARTITION BY trip_id ORDER BY seq),
                lag(lon) OVER (PARTITION BY trip_id ORDER BY seq),
                lat,
                lon
            ) AS step_km
        FROM trip_waypoints
        WHERE dt = DATE '${date}'
    )
    SELECT trip_id, sum(step_km) AS km
    FROM steps
    WHERE step_km < 2.0
    GROUP BY trip_id
) AS d
ON t.trip_id = d.trip_id
WHEN MATCHED THEN UPDATE SET distance_km = d.km

--@ 2026-03-01T03:20:12Z until=2026-03-08 took=26s scanned=96MB
-- dag=riders_nightly task=merge_riders day=${date}
merge into rides_curated.riders r
using (
    select rider_id, op, email, full_name, birth_date, address, consents, plan_id, updated_at
    from (
        select c.*, row_number() over (partition by rider_id order by updated_at desc) as newest
        from rides_raw.riders c
        where ingest_date = date '${date}'
    )
    where newest = 1
) c
on r.rider_id = c.rider_id
when matched and c.op = 'D' then delete
when matched then update set
    email = lower(c.email),
    email_domain = split_part(lower(c.email), '@', 2),
    full_name = c.full_name,
    birth_year = cast(year(c.birth_date) as integer),
    zip = c.address.zip,
    city = c.address.city,
    country = c.address.country,
    marketing_consent = coalesce(element_at(c.consents, 'marketing'), false),
    plan_id = cast(c.plan_id as integer),
    updated_at = c.updated_at
when not matched and c.op <> 'D' then insert
    (rider_id, email, email_domain, full_name, birth_year, zip, city, country, marketing_consent, plan_id, updated_at)
    values
    (c.rider_id, lower(c.email), split_part(lower(c.email), '@', 2), c.full_name, cast(year(c.birth_date) as integer),
     c.address.zip, c.address.city, c.address.country, coalesce(element_at(c.consents, 'marketing'), false),
     cast(c.plan_id as integer), c.updated_at)

--@ 2026-03-01T03:24:03Z until=2026-03-08 took=14s scanned=38MB
INSERT INTO rides_curated.payments
  (payment_id, trip_id, rider_id, gross_amount, net_amount, vat_amount, currency, method, card_brand, created_at, paid_on)
SELECT payment_id
     , trip_id
     , rider_id
     , amount
     , CAST(amount / (1 + vat_rate) AS decimal(12, 2))
     , amount - CAST(amount / (1 + vat_rate) AS decimal(12, 2))
     , upper(currency)
     , p.method.kind
     , CASE p.method.kind WHEN 'card' THEN p.method.brand END
     , created_at
     , date(created_at)
  FROM rides_raw.payments p
 WHERE dt = '${date}'

--@ 2026-03-01T03:25:20Z until=2026-03-08 took=8s scanned=38MB
INSERT INTO rides_curated.refunds (refund_id, payment_id, rider_id, amount, reason, refunded_at)
SELECT r.refund_id, p.payment_id, p.rider_id, r.amount, coalesce(nullif(trim(r.reason), ''), 'none given'), r.refunded_at
FROM rides_raw.payments AS p, UNNEST(p.refunds) AS r (refund_id, amount, reason, refunded_at)
WHERE p.dt = '${date}'

--@ 2026-03-01T03:31:00Z until=2026-03-07 took=39s scanned=640MB
-- dag=stations task=availability day=${date}
INSERT INTO rides_curated.station_availability
WITH reports AS (
    SELECT
        station_id,
        reported_at,
        bikes_available,
        docks_free,
        cardinality(filter(docks, d -> d.state = 'defect')) AS docks_defect,
        date_add('minute', -(minute(reported_at) % 15), date_trunc('minute', reported_at)) AS bucket_start,
        lead(reported_at) OVER (PARTITION BY station_id ORDER BY reported_at) AS next_report_at,
        dt
    FROM rides_raw.station_status
    WHERE dt = '${date}'
      AND is_renting
)
SELECT
    station_id,
    bucket_start,
    avg(bikes_available) AS avg_bikes,
    min(docks_free - docks_defect) AS min_docks_free,
    CAST(sum(IF(bikes_available = 0, date_diff('minute', reported_at, next_report_at), 0)) AS integer) AS outage_minutes,
    date(dt) AS dt
FROM reports
GROUP BY station_id, bucket_start, dt

--@ 2026-03-01T03:40:44Z took=3s
DROP TABLE IF EXISTS rides_curated.stations

--@ 2026-03-01T03:40:52Z took=5s scanned=1MB
CREATE TABLE rides_curated.stations
WITH (
    format = 'PARQUET',
    write_compression = 'ZSTD',
    external_location = 's3://ringelrad-curated/stations/'
) AS
SELECT
    station_id,
    name,
    lower(city) AS city,
    lat,
    lon,
    capacity,
    opened_on,
    CASE WHEN strpos(name, '/') > 0 THEN trim(split_part(name, '/', 1)) END AS district
FROM rides_raw.stations

--@ 2026-03-01T03:42:10Z took=6s scanned=4MB
CREATE TABLE rides_curated.weather_daily
WITH (format = 'PARQUET', external_location = 's3://ringelrad-curated/weather_daily/')
AS SELECT city,
          CAST(observed_at AS date) AS day,
          avg(temperature_c) AS avg_temperature_c,
          sum(precipitation_mm) AS rain_mm,
          max(wind_ms) AS max_wind_ms
   FROM rides_raw.weather_hourly
   WHERE year >= 2024
   GROUP BY city, CAST(observed_at AS date)

--@ 2026-03-02T03:45:30Z until=2026-03-07 took=52s scanned=1180MB
/* dag=app_sessions task=build day=${date}
   a new session begins after 30 minutes without a click */
INSERT INTO rides_curated.app_sessions
WITH clicks AS (
    SELECT
        anonymous_id,
        rider_id,
        name,
        sent_at,
        properties['screen'] AS screen,
        json_extract_scalar(payload, '$.search.city') AS searched_city,
        element_at(experiments, 1).name AS experiment,
        element_at(experiments, 1).variant AS variant,
        date_diff('minute', lag(sent_at) OVER (PARTITION BY anonymous_id ORDER BY sent_at), sent_at) AS quiet_minutes
    FROM rides_raw.app_events
    WHERE dt = '${date}'
),
numbered AS (
    SELECT
        *,
        sum(CASE WHEN quiet_minutes IS NULL OR quiet_minutes > 30 THEN 1 ELSE 0 END)
            OVER (PARTITION BY anonymous_id ORDER BY sent_at) AS visit
    FROM clicks
)
SELECT
    concat(anonymous_id, '-', CAST(visit AS varchar)) AS session_id,
    max(rider_id) AS rider_id,
    min(sent_at) AS started_at,
    max(sent_at) AS ended_at,
    count(*) AS events,
    min_by(screen, sent_at) AS first_screen,
    max_by(searched_city, sent_at) FILTER (WHERE name = 'search') AS searched_city,
    arbitrary(experiment) AS experiment,
    arbitrary(variant) AS variant,
    DATE '${date}' AS dt
FROM numbered
GROUP BY anonymous_id, visit

--@ 2026-03-01T04:02:00Z until=2026-03-08 took=12s scanned=210MB
-- dag=kpis task=daily_city_kpis day=${date}
INSERT INTO rides_analytics.daily_city_kpis
SELECT v.city, count(*), count(DISTINCT v.rider_id), sum(p.net_amount), avg(v.duration_min), max(v.rain_mm), v.day
FROM rides_curated.v_trips_enriched v
LEFT JOIN rides_curated.payments p ON p.trip_id = v.trip_id
WHERE v.day = DATE '${date}'
GROUP BY v.city, v.day

--@ 2026-03-01T04:03:10Z until=2026-03-07 took=15s scanned=88MB
-- dag=kpis task=station_balance day=${date}
INSERT INTO rides_analytics.station_balance
WITH moves AS (
    SELECT start_station_id AS station_id, CAST(started_at AS date) AS day, 1 AS departed, 0 AS arrived
    FROM rides_curated.trips
    UNION ALL
    SELECT end_station_id, CAST(ended_at AS date), 0, 1
    FROM rides_curated.trips
    WHERE ended_at IS NOT NULL
)
SELECT
    s.station_id,
    s.name,
    s.city,
    sum(m.departed),
    sum(m.arrived),
    sum(m.arrived) - sum(m.departed),
    rank() OVER (PARTITION BY s.city ORDER BY sum(m.arrived) - sum(m.departed) DESC),
    m.day
FROM moves m
JOIN rides_curated.stations s USING (station_id)
WHERE m.day = DATE '${date}'
GROUP BY s.station_id, s.name, s.city, m.day

--@ 2026-03-01T04:15:00Z until=2026-03-07 took=19s scanned=120MB
-- dag=to_redshift task=unload_trips day=${date}
UNLOAD (
    SELECT trip_id, rider_id, bike_id, city, start_station_id, end_station_id,
           started_at, ended_at, duration_s, distance_km, fare_amount
    FROM rides_curated.trips
    WHERE CAST(ended_at AS date) = DATE '${date}'
)
TO 's3://ringelrad-exchange/to_redshift/trips/dt=${date}/'
WITH (format = 'PARQUET', compression = 'SNAPPY')

--@ 2026-03-01T04:16:00Z until=2026-03-07 took=11s scanned=18MB
-- dag=to_redshift task=unload_payments day=${date}
UNLOAD (
    SELECT payment_id, trip_id, rider_id, gross_amount, net_amount, vat_amount, method, created_at
    FROM rides_curated.payments
    WHERE paid_on = DATE '${date}'
)
TO 's3://ringelrad-exchange/to_redshift/payments/dt=${date}/'
WITH (format = 'PARQUET')

--@ 2026-03-01T04:17:00Z took=13s scanned=22MB
-- dag=to_redshift task=unload_riders (weekly, whole)
UNLOAD (
    SELECT r.rider_id, r.city, r.country, r.birth_year, r.marketing_consent, p.name AS plan_name, p.monthly_fee, r.updated_at
    FROM rides_curated.riders r
    LEFT JOIN rides_raw.pricing_plans p
           ON p.plan_id = r.plan_id
          AND r.updated_at >= p.valid_from
          AND (p.valid_to IS NULL OR r.updated_at < p.valid_to)
)
TO 's3://ringelrad-exchange/to_redshift/riders/'
WITH (format = 'TEXTFILE', field_delimiter = '|', compression = 'GZIP')

--@ 2026-03-02T04:30:00Z took=64s scanned=540MB
CREATE TABLE rides_analytics.bike_lifetime
WITH (format = 'PARQUET', external_location = 's3://ringelrad-analytics/bike_lifetime/2026w10/', bucketed_by = ARRAY['bike_id'], bucket_count = 8)
AS
SELECT
    b.bike_id,
    b.model,
    coalesce(t.km, 0) AS km_total,
    coalesce(m.repairs, 0) AS repairs,
    coalesce(m.parts_cost, 0) AS parts_cost,
    CAST(b.purchase_price + coalesce(m.parts_cost, 0) AS double) / nullif(t.km, 0) AS cost_per_km
FROM rides_curated.bikes b
LEFT JOIN (SELECT bike_id, sum(distance_km) AS km FROM rides_curated.trips GROUP BY bike_id) t ON t.bike_id = b.bike_id
LEFT JOIN (SELECT bike_id, count(*) AS repairs, sum(parts_cost) AS parts_cost FROM rides_curated.maintenance GROUP BY bike_id) m
       ON m.bike_id = b.bike_id
WHERE b.status <> 'ordered'

--@ 2026-03-02T04:33:00Z took=41s scanned=88MB
DELETE FROM rides_analytics.rider_cohorts WHERE cohort_month >= DATE '2025-03-01'

--@ 2026-03-02T04:33:30Z took=58s scanned=190MB
INSERT INTO rides_analytics.rider_cohorts (riders, trips, cohort_month, months_since)
WITH first_ride AS (
    SELECT rider_id, date_trunc('month', min(started_at)) AS cohort
    FROM rides_curated.trips
    GROUP BY rider_id
)
SELECT
    count(DISTINCT t.rider_id),
    count(*),
    CAST(f.cohort AS date),
    CAST(date_diff('month', f.cohort, date_trunc('month', t.started_at)) AS integer)
FROM rides_curated.trips t
JOIN first_ride f ON f.rider_id = t.rider_id
WHERE f.cohort >= TIMESTAMP '2025-03-01 00:00:00'
GROUP BY 3, 4

--@ 2026-03-02T05:00:00Z took=7s
OPTIMIZE rides_curated.trips REWRITE DATA USING BIN_PACK WHERE updated_at > TIMESTAMP '2026-03-01 00:00:00'

--@ 2026-03-02T05:02:00Z took=21s
VACUUM rides_curated.trips

--@ 2026-03-03T09:12:44Z took=4s scanned=22MB
-- right to be forgotten, request of 2026-03-02
DELETE FROM rides_curated.riders
WHERE rider_id IN (SELECT rider_id FROM rides_raw.riders WHERE op = 'D' AND ingest_date >= DATE '2026-02-20')

--@ 2026-03-03T09:15:10Z took=6s scanned=22MB
UPDATE rides_curated.riders
SET email = NULL, full_name = NULL, zip = substr(zip, 1, 2), updated_at = CAST(current_timestamp AS timestamp(6))
WHERE marketing_consent = false AND updated_at < TIMESTAMP '2024-03-01 00:00:00'

--@ 2026-03-03T10:00:00Z took=2s database=rides_analytics
CREATE EXTERNAL TABLE IF NOT EXISTS `rides_analytics`.`rider_value_scores` (
  `rider_id` string,
  `city` string,
  `ltv_eur` decimal(12,2),
  `trips_90d` bigint,
  `churn_risk` double,
  `segment` string)
COMMENT 'Value and churn risk of each rider. Redshift unloads it.'
PARTITIONED BY (`scored_on` date)
STORED AS PARQUET
LOCATION 's3://ringelrad-exchange/from_redshift/rider_value/'
TBLPROPERTIES ('parquet.compression'='SNAPPY')

--@ 2026-03-04T06:30:00Z took=5s database=rides_analytics
MSCK REPAIR TABLE rider_value_scores

--@ 2026-03-04T03:10:59Z took=3s state=FAILED error="SYNTAX_ERROR: line 8:5: Column 'trip_uuid' cannot be resolved"
-- dag=trips_nightly task=merge_trips_v2 (try-out)
MERGE INTO rides_curated.trips t
USING (SELECT trip_uuid, city FROM rides_raw.trip_events WHERE dt = '2026-03-03') s
ON t.trip_id = s.trip_uuid
WHEN NOT MATCHED THEN INSERT (trip_id, city) VALUES (s.trip_uuid, s.city)

--@ 2026-03-05T03:24:20Z took=1s state=FAILED error="line 1:52: mismatched input '{'. Expecting: <expression>"
INSERT INTO rides_curated.payments SELECT * FROM {{ source('rides_raw', 'payments') }} WHERE dt = '{{ ds }}'

--@ 2026-03-06T12:00:30Z took=1800s scanned=64000MB state=CANCELLED
INSERT INTO rides_curated.trip_waypoints
SELECT e.trip_id, w.seq, w.measured_at, w.lat, w.lon, w.speed_kmh, e.city, date(e.dt)
FROM rides_raw.trip_events e
CROSS JOIN UNNEST(e.waypoints) AS w (seq, measured_at, lat, lon, speed_kmh)

--@ 2026-03-06T13:30:00Z took=35s scanned=310MB
-- pseudonyms are made by a function outside Athena
USING EXTERNAL FUNCTION pseudonym(id VARCHAR) RETURNS VARCHAR LAMBDA 'arn:aws:lambda:eu-central-1:123456789012:function:pseudonym'
SELECT pseudonym(rider_id) AS rider, city, started_at, duration_s
FROM rides_curated.trips
WHERE started_at >= TIMESTAMP '2026-02-01 00:00:00'

--@ 2026-03-07T02:00:00Z took=28s scanned=75MB
/* copied by hand while the raw bucket is being moved */
CREATE TABLE rides_curated.tmp_tickets_2026_03_07
WITH (format = 'PARQUET', external_location = 's3://ringelrad-curated/tmp/tickets_2026_03_07/')
AS SELECT * FROM rides_raw.workshop_tickets WHERE closed_at IS NULL

--@ 2026-03-07T02:10:00Z took=22s scanned=12MB
CREATE TABLE rides_analytics.open_repairs
WITH (format = 'ORC', external_location = 's3://ringelrad-analytics/open_repairs/', partitioned_by = ARRAY['fault_code'])
AS
SELECT t.ticket_id, t.bike_id, b.model, date_diff('hour', t.opened_at, current_timestamp) AS hours_open, t.mechanic, t.fault_code
FROM rides_curated.tmp_tickets_2026_03_07 t
LEFT JOIN rides_curated.bikes b ON b.bike_id = t.bike_id

--@ 2026-03-07T02:11:00Z took=2s
DROP TABLE rides_curated.tmp_tickets_2026_03_07

--@ 2026-03-07T11:00:00Z took=16s scanned=9MB
-- the sandbox database was deleted since
CREATE TABLE rides_analytics.ab_test_export
WITH (format = 'JSON', external_location = 's3://ringelrad-analytics/ab_test_export/')
AS SELECT * FROM rides_sandbox.ab_test_assignments
