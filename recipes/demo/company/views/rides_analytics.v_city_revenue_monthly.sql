with monthly as (

    select
        city,
        date_trunc('month', paid_on) as month,
        sum(net_revenue) as net_revenue
    from "awsdatacatalog"."rides_analytics"."v_city_revenue"
    group by city, date_trunc('month', paid_on)

)

select
    city,
    month,
    net_revenue,
    lag(net_revenue) over (partition by city order by month) as previous_month,
    cast(net_revenue as double)
        / nullif(cast(lag(net_revenue) over (partition by city order by month) as double), 0) - 1 as growth
from monthly
