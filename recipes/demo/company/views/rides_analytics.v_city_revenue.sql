select
    r.city,
    r.paid_on,
    sum(r.net_amount) as net_revenue,
    count(distinct r.trip_id) as paid_trips,
    sum(r.duration_min) as minutes,
    cast(sum(r.net_amount) as double) / nullif(sum(r.duration_min), 0) as revenue_per_minute
from "awsdatacatalog"."rides_analytics"."fct_revenue" r
group by 1, 2
