-- "The oldest mail that still has to be sent", which the figures ask for. Mails that were given up are kept for a month under the same key, as
-- many as there are addresses that no server takes. Costs half a microsecond for each mail that is added; the index by `due_at` cannot tell it,
-- because what has failed is due later than what came after it.
create index mail_unsent on mail (mail_id) where failed_at is null;
