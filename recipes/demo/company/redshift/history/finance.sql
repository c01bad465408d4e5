-- User `finance_batch`: a procedure closes each day. What it runs stands in the history behind the call, with $1 for its argument.
--= user=finance_batch session=1074100001

--@ 2026-03-01T18:00:00Z took=1s
CREATE OR REPLACE PROCEDURE finance.sp_close_day(day_to_close date)
AS $$
BEGIN
    DELETE FROM finance.revenue_daily WHERE booked_on = day_to_close;

    INSERT INTO finance.revenue_daily (booked_on, city, account_no, gross, net, vat)
    SELECT p.paid_on, t.city, CASE p.method WHEN 'voucher' THEN '440030' ELSE '440010' END,
           SUM(p.gross_amount), SUM(p.net_amount), SUM(p.gross_amount - p.net_amount)
    FROM core.fct_payment p
    JOIN core.fct_trip t ON t.trip_id = p.trip_id
    WHERE p.paid_on = day_to_close
    GROUP BY 1, 2, 3;

    INSERT INTO finance.refunds_daily
    SELECT refunded_on, '473000', SUM(amount)
    FROM core.fct_refund
    WHERE refunded_on = day_to_close
    GROUP BY refunded_on;
END;
$$ LANGUAGE plpgsql;

--= user=finance_batch session=1074100100 until=2026-03-07

--@ 2026-03-02T01:00:00Z took=9s
CALL finance.sp_close_day('${date}');

--@ 2026-03-02T01:00:01Z took=1s
DELETE FROM finance.revenue_daily WHERE booked_on = $1

--@ 2026-03-02T01:00:02Z took=4s
INSERT INTO finance.revenue_daily (booked_on, city, account_no, gross, net, vat)
    SELECT p.paid_on, t.city, CASE p.method WHEN 'voucher' THEN '440030' ELSE '440010' END,
           SUM(p.gross_amount), SUM(p.net_amount), SUM(p.gross_amount - p.net_amount)
    FROM core.fct_payment p
    JOIN core.fct_trip t ON t.trip_id = p.trip_id
    WHERE p.paid_on = $1
    GROUP BY 1, 2, 3

--@ 2026-03-02T01:00:07Z took=1s
INSERT INTO finance.refunds_daily
    SELECT refunded_on, '473000', SUM(amount)
    FROM core.fct_refund
    WHERE refunded_on = $1
    GROUP BY refunded_on

--@ 2026-03-02T01:01:00Z took=5s
UNLOAD ($$
    SELECT booked_on, city, account_no, gross, net, vat
    FROM finance.revenue_daily
    WHERE booked_on = '${date}'
$$)
TO 's3://ringelrad-exchange/finance/revenue_daily/booked=${date}/part_'
IAM_ROLE 'arn:aws:iam::123456789012:role/redshift-unload'
CSV HEADER GZIP PARALLEL OFF ALLOWOVERWRITE

--= user=finance_batch session=1074100900

--@ 2026-03-02T02:00:00Z took=0s
START TRANSACTION

--@ 2026-03-02T02:00:01Z took=1s
DELETE FROM finance.vat_report WHERE month = '2026-02-01'

--@ 2026-03-02T02:00:03Z took=3s
INSERT INTO finance.vat_report
SELECT r.month, r.city, r.net, r.vat, f.refunds * RATIO_TO_REPORT(r.net) OVER (PARTITION BY r.month) AS refunds
FROM (
    SELECT DATE_TRUNC('month', booked_on)::date AS month, city, SUM(net) AS net, SUM(vat) AS vat
    FROM finance.revenue_daily
    GROUP BY 1, 2
) r
LEFT JOIN (
    SELECT DATE_TRUNC('month', booked_on)::date AS month, SUM(amount) AS refunds
    FROM finance.refunds_daily
    GROUP BY 1
) f ON f.month = r.month
WHERE r.month = '2026-02-01'

--@ 2026-03-02T02:00:08Z took=0s
END

--@ 2026-03-02T02:10:00Z took=6s
INSERT INTO finance.deferred_revenue (rider_id, plan_name, month, monthly_fee, days_left, deferred)
WITH month_end AS (SELECT '2026-02-28'::date AS d)
SELECT r.rider_id, r.plan_name, DATE_TRUNC('month', m.d)::date, r.monthly_fee,
       DATEDIFF(day, m.d, ADD_MONTHS(r.valid_from, CEIL(MONTHS_BETWEEN(m.d, r.valid_from))::int)) AS days_left,
       ROUND(r.monthly_fee * DATEDIFF(day, m.d, ADD_MONTHS(r.valid_from, CEIL(MONTHS_BETWEEN(m.d, r.valid_from))::int)) / 30.0, 2)
FROM core.dim_rider r
CROSS JOIN month_end m
WHERE r.valid_to IS NULL AND r.monthly_fee > 0
