-- Writing behind: the journal and the rows of `transfer` are durable at once; rows of `account` and `idempotency` follow in
-- sorted bulk, and a host that posts alone holds a lease. (host/src/posting: resident.rs, bulk, recover.rs, lease.rs)

alter table ledger add column number bigint not null default 0;
alter table ledger add column flushed_seq bigint not null default 0;
alter table ledger add column flushed_position bigint not null default 0;
alter table ledger add column last_id uuid not null default '00000000-0000-0000-0000-000000000000';
alter table ledger add column lease_epoch bigint not null default 0;
alter table ledger add column lease_owner uuid;
alter table ledger add column lease_until bigint not null default 0;
alter table ledger add column lease_wanted boolean not null default false;

-- number:           positions of this ledger begin after number * 2^40, so that they are unique in the whole database, which
--                   SQLite needs for its fastest table. The ledger that has transfers keeps its positions.
-- flushed_seq:      every row of `account` and `idempotency` has all that the journal says up to this record. Rows may be newer.
-- flushed_position: the row of `transfer` that `flushed_seq` ended with: what comes after must be added to rows that are older.
-- last_id:          the greatest id that came in order and is not in the index "transfer.transfer_id".
-- lease_epoch:      grows whenever a host takes the ledger for itself. Who writes under an older one writes nothing.
-- lease_owner:      the host that posts alone and may write behind. Null: nobody does, and who posts writes through.
-- lease_until:      by the database's clock, in microseconds: until then others leave the owner alone; without an owner, until
--                   then nobody takes the ledger for itself, because several hosts were posting.
-- lease_wanted:     another host would like to post. The owner writes everything and lets go.
update ledger set number = (select count(*) from ledger other
                            where (not exists (select 1 from transfer t where t.ledger_id = other.ledger_id), other.ledger_id)
                                < (not exists (select 1 from transfer t where t.ledger_id = ledger.ledger_id), ledger.ledger_id));
-- Ledgers without transfers begin where their number says. A second one with transfers would have to be moved with all its links, and
-- there is none: a server has made one ledger so far. If there is, the copy of `transfer` below fails, and nothing happens.
update ledger set last_position = number * 1099511627776 where number > 0;
update ledger set flushed_seq = head_seq, flushed_position = last_position;
create unique index "ledger.number" on ledger (number);

create table new_journal (
    ledger_id       uuid     not null references ledger,
    -- Dense from 1: a gap is a lost record.
    seq             bigint   not null constraint journal_seq_positive check (seq > 0),
    -- SHA-256 of the record before (for the first: of the ledger's id, unit and scale), ledger id, seq and body.
    hash            bytea    not null,
    -- The rows of `transfer` that came from it lie after the first of these positions and up to the second.
    first_position  bigint   not null,
    last_position   bigint   not null,
    -- `ledger.last_id` after this record. Before the body, which may be long and is read seldom.
    last_id         uuid     not null,
    -- Time, commands and verdicts of one batch, in the canonical form of ledger-core's `codec`.
    body            bytea    not null,
    primary key (ledger_id, seq)
);
insert into new_journal (ledger_id, seq, hash, first_position, last_position, last_id, body)
select j.ledger_id, seq, hash, number * 1099511627776, number * 1099511627776, '00000000-0000-0000-0000-000000000000'::uuid, body
from journal j join ledger on ledger.ledger_id = j.ledger_id;
drop table journal;
alter table new_journal rename to journal;

-- Which rows of `transfer` came from each record: those after `first_position` up to `last_position`.
-- Records before the first transfer have none, as it is set above.
update journal set first_position = e.before, last_position = e.after
from (select ledger_id, seq, after, coalesce(lag(after) over (partition by ledger_id order by seq), 0) as before
      from (select j.ledger_id, j.seq, max(coalesce(t.position, 0)) over (partition by j.ledger_id order by j.seq) as after
            from journal j
            left join (select ledger_id, seq, max(position) as position from transfer group by ledger_id, seq) t
                   on t.ledger_id = j.ledger_id and t.seq = j.seq) reached) e
where e.ledger_id = journal.ledger_id and e.seq = journal.seq and e.after > 0;

-- `transfer` again, for speed: its rows are checked by the ledger and by `hesabu verify` and not once
-- more here (that took a third of the time of a row), and the number of a row in each chain is gone (nothing asked for it).
drop view account_entry;
create table new_transfer (
    -- In commit order, dense from the ledger's first.
    position        bigint   not null,
    ledger_id       uuid     not null,
    -- Journal record that this row came from.
    seq             bigint   not null,
    transfer_id     uuid     not null,
    -- What happened: 1 immediate, 2 hold, 3 request; 10 captured, 11 released, 12 accepted, 13 declined, 14 withdrawn, 15 expired.
    step            bigint   not null,
    payer_id        uuid     not null,
    payee_id        uuid     not null,
    -- What was proposed, and what this step moved (0 when none), in minor units.
    amount          bigint   not null,
    moved           bigint   not null,
    -- Microseconds since the epoch. Null expiry: it waits for ever.
    at              bigint   not null,
    expires_at      bigint ,
    -- Description of the transfer, or the reason given for this step. Its digest is in the journal.
    memo            text     not null,
    -- Null on the row that begins a transfer; on the row that settles it, the position of the one that began it.
    settles         bigint ,
    -- On the row that began a hold or request: the row that settled it. Null until then, and for immediate transfers.
    settled_by      bigint ,
    pending         boolean  not null,
    -- Whether its id is in the index "transfer.transfer_id".
    indexed         boolean  not null,

    -- The payer's chain: links (0 = none), balance and totals after this row.
    payer_prev      bigint   not null,
    payer_jump      bigint   not null,
    payer_balance   bigint   not null,
    payer_begun     bigint   not null,
    payer_posted    bigint   not null,
    payer_ended     bigint   not null,
    -- The payee's, likewise.
    payee_prev      bigint   not null,
    payee_jump      bigint   not null,
    payee_balance   bigint   not null,
    payee_begun     bigint   not null,
    payee_posted    bigint   not null,
    payee_ended     bigint   not null,
    primary key (ledger_id, position)
);
insert into new_transfer
select position, ledger_id, seq, transfer_id, step, payer_id, payee_id, amount, moved, at, expires_at, memo, settles, settled_by, pending, settles is null,
       payer_prev, payer_jump, payer_balance, payer_begun, payer_posted, payer_ended,
       payee_prev, payee_jump, payee_balance, payee_begun, payee_posted, payee_ended
from transfer order by position;
do $$ begin
    if (select count(distinct ledger_id) from new_transfer) > 1 then
        raise exception 'two ledgers have transfers: this migration can keep the positions of one only';
    end if;
end $$;
drop table transfer;
alter table new_transfer rename to transfer;

-- Finds a transfer by its id where the order of ids does not: holds and requests, which somebody will settle, and ids that came
-- out of order. An immediate transfer whose id is greater than every such id before it (`ledger.last_id`) needs no entry: it is new
-- because it is greater, and it is found again in the record whose `journal.last_id` reaches it. An index would cost such a
-- row a third of its time.
create unique index "transfer.transfer_id" on transfer (ledger_id, transfer_id) where indexed;

-- What waits for an account, oldest first. Holds only what is pending, so immediate transfers never touch it.
create index transfer_pending_payer on transfer (ledger_id, payer_id, position) where pending;
create index transfer_pending_payee on transfer (ledger_id, payee_id, position) where pending;

-- The same history with one row for each account and step, for people who ask in SQL. Amounts are signed.
create view account_entry as
    select ledger_id, payer_id as account_id, position, transfer_id, step, at, -moved as change, payer_balance as balance, payee_id as counterparty_id, memo
    from transfer
    union all
    select ledger_id, payee_id, position, transfer_id, step, at, moved, payee_balance, payer_id, memo
    from transfer;
