SELECT
  s.rider_id
, COALESCE(r.city, s.city) home_city
, s.ltv_eur
, s.churn_risk
, s.segment
, COALESCE(r.marketing_consent, false) may_be_contacted
, s.scored_on
FROM
  (rider_value_scores s
LEFT JOIN rides_curated.riders r ON (r.rider_id = s.rider_id))
WHERE (s.scored_on = (SELECT max(scored_on) FROM rider_value_scores))
