-- Work group `dbt`: the analytics models, built each morning. The comment is dbt's own.
--= database=rides_analytics state=SUCCEEDED principal=dbt-runner/botocore-session-1772323200

--@ 2026-03-01T05:00:11Z until=2026-03-07 took=22s scanned=96MB
/* {"app": "dbt", "dbt_version": "1.9.4", "node_id": "model.ringelrad.stg_trips", "profile_name": "ringelrad", "target_name": "prod"} */

  create table "awsdatacatalog"."rides_analytics"."stg_trips"
  with (
    table_type='hive',
    is_external=true,
    external_location='s3://ringelrad-analytics/dbt/stg_trips/6f1c2f64',
    format='parquet'
  )
  as

with source as (

    select * from "awsdatacatalog"."rides_curated"."trips"

),

renamed as (

    select
        trip_id,
        rider_id,
        city,
        cast(started_at as date) as trip_day,
        duration_s / 60.0 as duration_min,
        fare_amount
    from source
    where ended_at is not null

)

select * from renamed
where duration_min between 1 and 24 * 60

--@ 2026-03-01T05:00:12Z until=2026-03-07 took=17s scanned=41MB
/* {"app": "dbt", "dbt_version": "1.9.4", "node_id": "model.ringelrad.stg_payments", "profile_name": "ringelrad", "target_name": "prod"} */

  create table "awsdatacatalog"."rides_analytics"."stg_payments"
  with (
    table_type='hive',
    is_external=true,
    external_location='s3://ringelrad-analytics/dbt/stg_payments/0b77a6a2',
    format='parquet'
  )
  as

select
    p.payment_id,
    p.trip_id,
    p.rider_id,
    cast(p.net_amount - coalesce(r.refunded, 0) as decimal(12, 2)) as net_amount,
    p.method,
    p.paid_on
from "awsdatacatalog"."rides_curated"."payments" as p
left join (
    select payment_id, sum(amount) as refunded
    from "awsdatacatalog"."rides_curated"."refunds"
    group by 1
) as r on r.payment_id = p.payment_id

--@ 2026-03-01T05:01:02Z until=2026-03-07 took=25s scanned=60MB
/* {"app": "dbt", "dbt_version": "1.9.4", "node_id": "model.ringelrad.fct_revenue", "profile_name": "ringelrad", "target_name": "prod"} */

  create table "awsdatacatalog"."rides_analytics"."fct_revenue__dbt_tmp"
  with (
    table_type='hive',
    is_external=true,
    external_location='s3://ringelrad-analytics/dbt/fct_revenue__dbt_tmp/${date}',
    format='parquet'
  )
  as

select
    pay.payment_id,
    pay.trip_id,
    pay.rider_id,
    trips.city,
    pay.net_amount,
    pay.method,
    trips.duration_min,
    pay.paid_on
from "awsdatacatalog"."rides_analytics"."stg_payments" as pay
left join "awsdatacatalog"."rides_analytics"."stg_trips" as trips
    on pay.trip_id = trips.trip_id

    where pay.paid_on > (select coalesce(max(paid_on), date '2024-01-01') from "awsdatacatalog"."rides_analytics"."fct_revenue")

--@ 2026-03-01T05:01:30Z until=2026-03-07 took=9s scanned=3MB
/* {"app": "dbt", "dbt_version": "1.9.4", "node_id": "model.ringelrad.fct_revenue", "profile_name": "ringelrad", "target_name": "prod"} */

    insert into "awsdatacatalog"."rides_analytics"."fct_revenue" ("payment_id", "trip_id", "rider_id", "city", "net_amount", "method", "duration_min", "paid_on")
    (
       select "payment_id", "trip_id", "rider_id", "city", "net_amount", "method", "duration_min", "paid_on"
       from "awsdatacatalog"."rides_analytics"."fct_revenue__dbt_tmp"
    );

--@ 2026-03-01T05:01:41Z until=2026-03-07 took=1s
-- /* {"app": "dbt", "dbt_version": "1.9.4", "node_id": "model.ringelrad.fct_revenue", "profile_name": "ringelrad", "target_name": "prod"} */
drop table if exists `rides_analytics`.`fct_revenue__dbt_tmp`

--@ 2026-03-01T05:01:45Z took=1s
-- /* {"app": "dbt", "dbt_version": "1.9.4", "node_id": "model.ringelrad.fct_revenue", "profile_name": "ringelrad", "target_name": "prod"} */
alter table `rides_analytics`.`fct_revenue` set tblproperties ('classification' = 'parquet')

--@ 2026-03-02T05:02:10Z took=27s scanned=110MB
/* {"app": "dbt", "dbt_version": "1.9.4", "node_id": "model.ringelrad.dim_rider", "profile_name": "ringelrad", "target_name": "prod"} */

  create table "awsdatacatalog"."rides_analytics"."dim_rider"
  with (
    table_type='hive',
    is_external=true,
    external_location='s3://ringelrad-analytics/dbt/dim_rider/51d9e0aa',
    format='parquet'
  )
  as

with first_trips as (
    select rider_id, min(trip_day) as first_trip_on
    from "awsdatacatalog"."rides_analytics"."stg_trips"
    group by rider_id
),

current_plans as (
    select plan_id, name as plan_name, minute_rate
    from "awsdatacatalog"."rides_raw"."pricing_plans"
    where valid_to is null
)

select
    riders.rider_id,
    riders.city as home_city,
    riders.country,
    current_plans.plan_name,
    current_plans.minute_rate,
    first_trips.first_trip_on,
    case
        when year(current_date) - riders.birth_year < 26 then 'young'
        when year(current_date) - riders.birth_year < 60 then 'middle'
        when riders.birth_year is not null then 'senior'
    end as age_group
from "awsdatacatalog"."rides_curated"."riders" as riders
left join current_plans on current_plans.plan_id = riders.plan_id
left join first_trips on first_trips.rider_id = riders.rider_id

--@ 2026-03-02T05:03:00Z took=1s
/* {"app": "dbt", "dbt_version": "1.9.4", "node_id": "model.ringelrad.v_city_revenue", "profile_name": "ringelrad", "target_name": "prod"} */
create or replace view "awsdatacatalog"."rides_analytics"."v_city_revenue" as
select
    r.city,
    r.paid_on,
    sum(r.net_amount) as net_revenue,
    count(distinct r.trip_id) as paid_trips,
    sum(r.duration_min) as minutes,
    cast(sum(r.net_amount) as double) / nullif(sum(r.duration_min), 0) as revenue_per_minute
from "awsdatacatalog"."rides_analytics"."fct_revenue" r
group by 1, 2

--@ 2026-03-02T05:03:08Z until=2026-03-05 took=3s scanned=2MB
/* {"app": "dbt", "dbt_version": "1.9.4", "node_id": "test.ringelrad.unique_fct_revenue_payment_id.8f1b2c3d4e", "profile_name": "ringelrad", "target_name": "prod"} */
select
      count(*) as failures,
      count(*) != 0 as should_warn,
      count(*) != 0 as should_error
    from (
select
    payment_id as unique_field,
    count(*) as n_records
from "awsdatacatalog"."rides_analytics"."fct_revenue"
where payment_id is not null
group by payment_id
having count(*) > 1
    ) dbt_internal_test

--@ 2026-03-04T05:04:00Z took=2s state=FAILED error="TYPE_MISMATCH: line 14:5: Cannot apply operator: varchar < integer"
/* {"app": "dbt", "dbt_version": "1.9.4", "node_id": "model.ringelrad.dim_rider", "profile_name": "ringelrad", "target_name": "prod"} */
create table "awsdatacatalog"."rides_analytics"."dim_rider__ha"
with (table_type='hive', is_external=true, external_location='s3://ringelrad-analytics/dbt/dim_rider/9d2c', format='parquet')
as select rider_id, zip < 20000 as in_the_north from "awsdatacatalog"."rides_curated"."riders"
