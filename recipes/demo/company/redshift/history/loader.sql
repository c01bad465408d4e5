-- User `loader`: from S3 into `staging`, from there into `core`. One session a night.
--
-- A line `--=` begins a session; `until=` repeats it each day. A line `--@` begins a statement.
-- `${date}` is the day before the run. What lies between BEGIN and COMMIT is one transaction.
--= user=loader session=1073805313 until=2026-03-07

--@ 2026-03-01T05:30:00Z took=0s
SET search_path TO staging, core

--@ 2026-03-01T05:30:01Z took=0s
BEGIN

--@ 2026-03-01T05:30:02Z took=1s
DELETE FROM staging.trips_load

--@ 2026-03-01T05:30:04Z took=21s
COPY staging.trips_load
FROM 's3://ringelrad-exchange/to_redshift/trips/dt=${date}/'
IAM_ROLE 'arn:aws:iam::123456789012:role/redshift-copy'
FORMAT AS PARQUET

--@ 2026-03-01T05:30:27Z took=12s
MERGE INTO core.fct_trip USING trips_load ON fct_trip.trip_id = trips_load.trip_id REMOVE DUPLICATES

--@ 2026-03-01T05:30:40Z took=0s
COMMIT

--@ 2026-03-01T05:31:00Z took=0s
begin;

--@ 2026-03-01T05:31:01Z took=1s
create temp table new_payments (like staging.payments_load);

--@ 2026-03-01T05:31:03Z took=9s
copy new_payments
from 's3://ringelrad-exchange/to_redshift/payments/dt=${date}/'
iam_role 'arn:aws:iam::123456789012:role/redshift-copy'
format as parquet;

--@ 2026-03-01T05:31:13Z took=2s
create table #dedup diststyle key distkey (payment_id) as
select *
from (
    select p.*, row_number() over (partition by p.payment_id order by p.created_at desc) as rn
    from new_payments p
    where p.net_amount <> 0
) ranked
where rn = 1;

--@ 2026-03-01T05:31:16Z took=3s
delete from core.fct_payment using #dedup where fct_payment.payment_id = #dedup.payment_id;

--@ 2026-03-01T05:31:20Z took=4s
insert into core.fct_payment (payment_id, trip_id, rider_id, gross_amount, net_amount, method, paid_on, loaded_at)
select d.payment_id, d.trip_id, d.rider_id, d.gross_amount, d.net_amount,
       nvl(d.method, 'unknown'), trunc(d.created_at), getdate()
from #dedup d;

--@ 2026-03-01T05:31:25Z took=0s
drop table #dedup;

--@ 2026-03-01T05:31:26Z took=0s
drop table new_payments;

--@ 2026-03-01T05:31:27Z took=0s
commit;

--@ 2026-03-01T05:32:00Z took=8s
/* refunds straight from the lake: the array is unnested by Redshift itself */
INSERT INTO fct_refund
SELECT r.refund_id, p.payment_id, r.amount, r.reason, TRUNC(r.refunded_at)
FROM lake_raw.payments p, p.refunds r
WHERE p.dt = '${date}'

--@ 2026-03-01T05:33:00Z took=6s
INSERT INTO fct_station_hour
SELECT a.station_id,
       DATE_TRUNC('hour', a.bucket_start) AS hour_start,
       AVG(a.avg_bikes),
       SUM(a.outage_minutes)
FROM lake.station_availability a
WHERE a.dt = '${date}'
GROUP BY 1, 2

--= user=loader session=1073815020

--@ 2026-03-01T05:40:00Z took=0s
set search_path to "staging";

--@ 2026-03-01T05:40:01Z took=1s
TRUNCATE riders_load;

--@ 2026-03-01T05:40:03Z took=14s
COPY riders_load (rider_id, city, country, birth_year, marketing_consent, plan_name, monthly_fee, updated_at)
FROM 's3://ringelrad-exchange/to_redshift/riders/'
IAM_ROLE default
DELIMITER '|' GZIP NULL AS '\\N' TIMEFORMAT 'auto' TRUNCATECOLUMNS
MAXERROR 10 COMPUPDATE OFF STATUPDATE OFF;

--@ 2026-03-01T05:40:20Z took=5s
-- close what has changed
UPDATE core.dim_rider
SET valid_to = l.updated_at
FROM staging.riders_load l
WHERE dim_rider.rider_id = l.rider_id
  AND dim_rider.valid_to IS NULL
  AND (dim_rider.plan_name <> l.plan_name OR dim_rider.city <> l.city);

--@ 2026-03-01T05:40:28Z took=6s
MERGE INTO core.dim_rider
USING riders_load AS src
ON dim_rider.rider_id = src.rider_id AND dim_rider.valid_to IS NULL
WHEN MATCHED THEN UPDATE SET
    country = src.country,
    birth_year = src.birth_year,
    monthly_fee = src.monthly_fee,
    marketing_consent = src.marketing_consent
WHEN NOT MATCHED THEN INSERT
    (rider_id, city, country, birth_year, plan_name, monthly_fee, marketing_consent, valid_from)
VALUES
    (src.rider_id, src.city, src.country, src.birth_year, src.plan_name, src.monthly_fee, src.marketing_consent, src.updated_at);

--@ 2026-03-01T05:41:00Z took=4s
DROP TABLE IF EXISTS core.dim_station;

--@ 2026-03-01T05:41:01Z took=3s
CREATE TABLE core.dim_station
DISTSTYLE ALL
SORTKEY (city, station_id)
AS
SELECT s.station_id::varchar(12)  AS station_id,
       s.name::varchar(80)        AS station_name,
       s.district::varchar(80)    AS district,
       s.city::varchar(20)        AS city,
       s.capacity
FROM lake.stations s;

--@ 2026-03-01T05:42:00Z took=7s
COPY tickets_load
FROM 's3://ringelrad-raw/workshop/tickets/'
IAM_ROLE 'arn:aws:iam::123456789012:role/redshift-copy'
CSV DELIMITER '\t' IGNOREHEADER 1 DATEFORMAT 'auto' TIMEFORMAT 'YYYY-MM-DD HH:MI:SS' ACCEPTINVCHARS;

--@ 2026-03-01T05:42:10Z took=2s
INSERT INTO core.fct_repair (ticket_id, bike_id, fault_code, parts_cost, hours_open, closed_on)
SELECT ticket_id, bike_id, UPPER(fault_code), COALESCE(parts_cost, 0), DATEDIFF(hour, opened_at, closed_at), closed_at::date
FROM tickets_load
WHERE closed_at IS NOT NULL;

--@ 2026-03-01T05:42:15Z took=3s
UPDATE core.dim_bike b
SET repairs        = r.repairs,
    parts_cost     = r.parts_cost,
    last_repair_at = r.last_repair_at
FROM (
    SELECT bike_id, COUNT(*) AS repairs, SUM(parts_cost) AS parts_cost, MAX(closed_at) AS last_repair_at
    FROM staging.tickets_load
    GROUP BY bike_id
) r
WHERE b.bike_id = r.bike_id;

--@ 2026-03-01T05:43:00Z took=3s
COPY campaigns_load
FROM 's3://ringelrad-marketing/campaigns/'
IAM_ROLE 'arn:aws:iam::123456789012:role/redshift-copy'
FORMAT AS JSON 'auto ignorecase';

--@ 2026-03-01T05:43:05Z took=1s
INSERT INTO core.dim_campaign
SELECT campaign_id, name, LOWER(channel), budget, ends_on - starts_on + 1
FROM campaigns_load
WHERE campaign_id NOT IN (SELECT campaign_id FROM core.dim_campaign);

--= user=loader session=1073825700

--@ 2026-03-04T13:02:00Z took=55s
COPY staging.trips_backfill
FROM 's3://ringelrad-exchange/backfill/trips_2025q4/'
IAM_ROLE 'arn:aws:iam::123456789012:role/redshift-copy'
FORMAT AS ORC

--@ 2026-03-04T13:04:00Z took=2s
ALTER TABLE core.fct_trip APPEND FROM staging.trips_backfill

--@ 2026-03-04T13:10:00Z took=2s status=failed error="Cannot COPY into nonexistent table trips_laod"
COPY staging.trips_laod FROM 's3://ringelrad-exchange/to_redshift/trips/dt=2026-03-03/' IAM_ROLE default FORMAT AS PARQUET
