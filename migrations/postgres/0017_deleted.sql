-- People and entities that administrators have deleted. Their rows stay, because transfers tell whom they were with; what they told of themselves
-- does not, but for what the log has of it.

-- Microseconds since the epoch. Null: not deleted.
alter table person add column deleted_at bigint;
alter table entity add column deleted_at bigint;
