-- Transfers that take back completed ones. Written by host/src/accounts together with the transfer, and deleted when that ends without moving
-- any money: so a row says that its transfer is completed, or waits for an answer.

create table reversal (
    ledger_id       blob     not null,
    -- The completed transfer. At most one other takes it back.
    reverses        blob     not null,
    -- The new transfer, the same amount the other way.
    transfer_id     blob     not null,
    constraint "reversal.ledger_id, reversal.reverses" primary key (ledger_id, reverses)
) strict, without rowid;

-- "Is this transfer a reversal?"
create index reversal_transfer on reversal (ledger_id, transfer_id);
