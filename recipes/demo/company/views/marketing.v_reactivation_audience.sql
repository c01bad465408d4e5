SELECT
  a.rider_id
, a.city
, v.segment
, a.days_silent
, row_number() OVER (PARTITION BY a.city ORDER BY v.ltv_eur DESC, v.churn_risk DESC) priority
FROM
  (rides_curated.v_active_riders a
INNER JOIN rides_analytics.v_rider_value v ON (v.rider_id = a.rider_id))
WHERE ((a.days_silent BETWEEN 21 AND 180) AND v.may_be_contacted)
