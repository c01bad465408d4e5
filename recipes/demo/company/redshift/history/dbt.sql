-- User `dbt_prod`: the marts. dbt builds beside, swaps by two renames, and drops the old table.
--= user=dbt_prod session=1073901000 until=2026-03-07

--@ 2026-03-01T06:00:00Z took=0s
/* {"app": "dbt", "dbt_version": "1.9.4", "profile_name": "ringelrad_dwh", "target_name": "prod", "node_id": "model.ringelrad_dwh.city_daily"} */
BEGIN

--@ 2026-03-01T06:00:01Z took=18s
/* {"app": "dbt", "dbt_version": "1.9.4", "profile_name": "ringelrad_dwh", "target_name": "prod", "node_id": "model.ringelrad_dwh.city_daily"} */

  create  table
    "ringelrad"."marts"."city_daily__dbt_tmp"
    
    diststyle even
    
      compound sortkey(day,city)
    
  as (
    with trips as (

    select * from "ringelrad"."core"."fct_trip"

),

payments as (

    select
        trip_id,
        sum(net_amount) as net_amount
    from "ringelrad"."core"."fct_payment"
    group by 1

),

weather as (

    select city, day, rain_mm
    from "awsdatacatalog"."rides_curated"."weather_daily"

)

select
    trips.city,
    trunc(trips.started_at) as day,
    count(*) as trips,
    count(distinct trips.rider_id) as riders,
    sum(trips.distance_km) as km,
    sum(payments.net_amount) as net_revenue,
    max(weather.rain_mm) as rain_mm
from trips
left join payments on payments.trip_id = trips.trip_id
left join weather on weather.city = trips.city and weather.day = trunc(trips.started_at)
group by 1, 2
  );

--@ 2026-03-01T06:00:20Z took=0s
/* {"app": "dbt", "dbt_version": "1.9.4", "profile_name": "ringelrad_dwh", "target_name": "prod", "node_id": "model.ringelrad_dwh.city_daily"} */
alter table "ringelrad"."marts"."city_daily" rename to "city_daily__dbt_backup"

--@ 2026-03-01T06:00:21Z took=0s
/* {"app": "dbt", "dbt_version": "1.9.4", "profile_name": "ringelrad_dwh", "target_name": "prod", "node_id": "model.ringelrad_dwh.city_daily"} */
alter table "ringelrad"."marts"."city_daily__dbt_tmp" rename to "city_daily"

--@ 2026-03-01T06:00:22Z took=0s
/* {"app": "dbt", "dbt_version": "1.9.4", "profile_name": "ringelrad_dwh", "target_name": "prod", "node_id": "model.ringelrad_dwh.city_daily"} */
COMMIT

--@ 2026-03-01T06:00:23Z took=0s
/* {"app": "dbt", "dbt_version": "1.9.4", "profile_name": "ringelrad_dwh", "target_name": "prod", "node_id": "model.ringelrad_dwh.city_daily"} */
drop table if exists "ringelrad"."marts"."city_daily__dbt_backup" cascade

--= user=dbt_prod session=1073902000

--@ 2026-03-02T06:01:00Z took=0s
begin

--@ 2026-03-02T06:01:01Z took=11s
/* {"app": "dbt", "dbt_version": "1.9.4", "profile_name": "ringelrad_dwh", "target_name": "prod", "node_id": "model.ringelrad_dwh.station_daily"} */
create temporary table
    "station_daily__dbt_tmp060101"
  as (
    with departures as (
        select start_station_id as station_id, trunc(started_at) as day, count(*) as departures
        from "ringelrad"."core"."fct_trip"
        where started_at >= (select dateadd(day, -3, max(day)) from "ringelrad"."marts"."station_daily")
        group by 1, 2
    ),
    arrivals as (
        select end_station_id as station_id, trunc(ended_at) as day, count(*) as arrivals
        from "ringelrad"."core"."fct_trip"
        where ended_at >= (select dateadd(day, -3, max(day)) from "ringelrad"."marts"."station_daily")
        group by 1, 2
    ),
    outages as (
        select station_id, trunc(hour_start) as day, sum(outage_minutes) as outage_minutes
        from "ringelrad"."core"."fct_station_hour"
        group by 1, 2
    )
    select
        stations.station_id,
        stations.station_name,
        stations.city,
        departures.day,
        departures.departures,
        coalesce(arrivals.arrivals, 0) as arrivals,
        coalesce(outages.outage_minutes, 0) as outage_minutes
    from departures
    join "ringelrad"."core"."dim_station" stations on stations.station_id = departures.station_id
    left join arrivals on arrivals.station_id = departures.station_id and arrivals.day = departures.day
    left join outages on outages.station_id = departures.station_id and outages.day = departures.day
  );

--@ 2026-03-02T06:01:14Z took=2s
/* {"app": "dbt", "dbt_version": "1.9.4", "profile_name": "ringelrad_dwh", "target_name": "prod", "node_id": "model.ringelrad_dwh.station_daily"} */
delete from "ringelrad"."marts"."station_daily"
        using "station_daily__dbt_tmp060101"
        where (
            "station_daily__dbt_tmp060101".station_id = "ringelrad"."marts"."station_daily".station_id
                and "station_daily__dbt_tmp060101".day = "ringelrad"."marts"."station_daily".day
        );

--@ 2026-03-02T06:01:17Z took=3s
/* {"app": "dbt", "dbt_version": "1.9.4", "profile_name": "ringelrad_dwh", "target_name": "prod", "node_id": "model.ringelrad_dwh.station_daily"} */
insert into "ringelrad"."marts"."station_daily" ("station_id", "station_name", "city", "day", "departures", "arrivals", "outage_minutes")
    (
        select "station_id", "station_name", "city", "day", "departures", "arrivals", "outage_minutes"
        from "station_daily__dbt_tmp060101"
    )

--@ 2026-03-02T06:01:21Z took=0s
commit

--@ 2026-03-02T06:02:00Z took=1s
/* {"app": "dbt", "dbt_version": "1.9.4", "profile_name": "ringelrad_dwh", "target_name": "prod", "node_id": "model.ringelrad_dwh.v_lake_trips"} */
create or replace view "ringelrad"."marts"."v_lake_trips" as (
    select t.trip_id, t.city, t.started_at, t.fare_amount, r.plan_name, w.rain_mm
    from lake.trips t
    left join "ringelrad"."core"."v_current_riders" r on r.rider_id = t.rider_id
    left join lake.weather_daily w on w.city = t.city and w.day = trunc(t.started_at)
  ) with no schema binding;

--@ 2026-03-02T06:03:00Z took=7s
/* {"app": "dbt", "dbt_version": "1.9.4", "profile_name": "ringelrad_dwh", "target_name": "prod", "node_id": "model.ringelrad_dwh.fleet_costs"} */
create table "ringelrad"."marts"."fleet_costs__new" distkey(bike_id) as
select
    b.bike_id,
    b.model,
    sum(t.distance_km) as km,
    b.repairs,
    b.parts_cost,
    round(100.0 * (b.purchase_price / 60 + b.parts_cost) / nullif(sum(t.distance_km), 0), 2) as cost_per_100km
from "ringelrad"."core"."dim_bike" b
left join "ringelrad"."core"."fct_trip" t on t.bike_id = b.bike_id
group by b.bike_id, b.model, b.repairs, b.parts_cost, b.purchase_price

--@ 2026-03-02T06:03:10Z took=0s
alter table marts.fleet_costs rename to fleet_costs__old

--@ 2026-03-02T06:03:11Z took=0s
alter table marts.fleet_costs__new rename to fleet_costs

--@ 2026-03-02T06:03:12Z took=0s
drop table marts.fleet_costs__old

--@ 2026-03-03T06:05:00Z took=1s status=failed error="column p.net_amonut does not exist"
/* {"app": "dbt", "dbt_version": "1.9.4", "profile_name": "ringelrad_dwh", "target_name": "prod", "node_id": "model.ringelrad_dwh.campaign_performance"} */
create table "ringelrad"."marts"."campaign_performance__dbt_tmp" as (
    select c.campaign_id, sum(p.net_amonut) as net from core.dim_campaign c, core.fct_payment p group by 1
)
