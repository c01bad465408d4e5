SELECT
  m.month
, m.city
, m.net_revenue
, m.growth
, c.campaign_cost
, c.campaign_revenue
, (CAST(m.net_revenue AS double) / CAST(sum(m.net_revenue) OVER (PARTITION BY m.month) AS double)) share_of_company
FROM
  (v_city_revenue_monthly m
LEFT JOIN (
   SELECT
     month
   , sum(cost) campaign_cost
   , sum(revenue) campaign_revenue
   FROM
     marketing.v_campaign_roi
   GROUP BY month
)  c ON (c.month = m.month))
