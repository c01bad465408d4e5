WITH
  spent AS (
   SELECT
     campaign_id
   , CAST(date_parse(month, '%Y-%m') AS date) month
   , count(*) touches
   , sum(cost) cost
   FROM
     campaign_touches
   GROUP BY 1, 2
) 
, earned AS (
   SELECT
     v.campaign_id
   , CAST(date_trunc('month', v.redeemed_at) AS date) month
   , sum(p.net_amount) revenue
   FROM
     (voucher_redemptions v
   INNER JOIN rides_curated.payments p ON (p.trip_id = v.trip_id))
   GROUP BY 1, 2
) 
SELECT
  c.campaign_id
, c.name
, c.channel
, s.month
, s.touches
, s.cost
, e.revenue
, (CAST(e.revenue AS double) / NULLIF(CAST(s.cost AS double), 0)) roi
FROM
  ((campaigns c
INNER JOIN spent s ON (s.campaign_id = c.campaign_id))
LEFT JOIN earned e ON ((e.campaign_id = s.campaign_id) AND (e.month = s.month)))
