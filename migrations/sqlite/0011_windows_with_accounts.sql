-- The windows of an account become part of its row, and follow behind the journal with it: written at once, a row each, they made batches over
-- accounts that have some five times as slow. And the prefixes of keys become longer.

-- First of all, so that whoever is refused here can go on with the version before, and do what it says.
-- What lags in rows of accounts must not be counted again in windows, which did not lag until now: a server that was stopped has written all.
create table clean_stop (
    nothing_lags integer not null constraint "stop the server of the version before: it writes what lags" check (nothing_lags)
) strict;
insert into clean_stop select not exists (select 1 from ledger where flushed_position < last_position
    and exists (select 1 from account_window w where w.ledger_id = ledger.ledger_id));
drop table clean_stop;

-- The prefixes of a run have six bytes of each key, and not five: of 50 million keys, one of 20,000 new ones began like a stored one and was
-- searched in every run. Runs from before lose theirs, and their pages are read instead.
delete from key_prefix;

-- In JSON, one array for each window, by direction and period: the numbers that the view below names. No spaces.
alter table account add column windows text not null default '[]';
update account set windows = (
    select '[' || group_concat(window, ',') || ']'
    from (select '[' || direction || ',' || period || ',' || coalesce(max_amount, 'null') || ',' || coalesce(max_count, 'null') || ','
                     || used_amount || ',' || used_count || ',' || began || ',' || since || ',' || utc_offset || ']' as window
          from account_window w where w.ledger_id = account.ledger_id and w.account_id = account.account_id
          order by direction, period))
where windowed;
alter table account drop column windowed;
drop table account_window;

-- For people who ask in SQL. Like all of an account's row it may be a little behind.
create view account_window as
    select a.ledger_id, a.account_id,
           -- What is counted: 1 what it pays, 2 what it is paid.
           w.value ->> 0 as direction,
           -- 1 a day, 2 a week from Monday, 3 a month.
           w.value ->> 1 as period,
           -- The most that may pass, in minor units, and the most movements. Null: any; one of them is there.
           w.value ->> 2 as max_amount,
           w.value ->> 3 as max_count,
           -- What passed in the period that began on `began`, in days since 1970-01-01. Of a later period nothing is used yet.
           w.value ->> 4 as used_amount,
           w.value ->> 5 as used_count,
           w.value ->> 6 as began,
           -- When it was set, or its midnight moved, in microseconds since the epoch. Holds from before were not counted.
           w.value ->> 7 as since,
           -- How many minutes its midnight is ahead of that of UTC.
           w.value ->> 8 as utc_offset
    from account a, json_each(a.windows) w
    where a.windows <> '[]';
