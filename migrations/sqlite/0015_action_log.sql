-- The action log: who did what and when. Written by host/src/audit in the transaction of the act itself, and never changed or deleted.

create table act (
    -- Time-ordered: the log is read newest first, and a period of it found, by this alone.
    act_id          blob     not null primary key,
    -- Microseconds since the epoch; of a transfer, the ledger's time.
    at              integer  not null,
    -- Whether it was done as a member or as an administrator.
    category        text     not null constraint act_category_known check (category in ('user', 'admin')),
    -- Who. Null: nobody that is known (a login that failed), or the system itself. No reference: nothing may stand in the way of a row
    -- that is written together with a batch of transfers.
    person_id       blob,
    -- In lower case, what somebody who is not known typed as theirs. Null for everybody else, whose address is with the person.
    email_key       text,
    -- A word of host/src/audit, for example 'transfer-proposed'.
    action          text     not null,
    -- What it was done to: a transfer, an entity, a person, a tag. Null: themselves.
    subject_id      blob,
    -- For people: what changed from what to what, which amount from whom to whom.
    detail          text     not null
) strict, without rowid;

-- No index by person: each act would write to another page of it, and transfers wait for what is written beside them. Who looks for one person's acts
-- goes through the log.
