-- What the directory reads by row, and not by going through a table.

-- The family name of a person, folded, so that misspelt ones are found as tags are. Null: written by a version before; a host that starts makes it.
alter table person add column last_name_key text;
create index person_unkeyed on person (person_id) where last_name_key is null;
-- All that a search by family name reads of everybody. It is not sorted by name: what is misspelt stands nowhere near.
create index person_last_name on person (person_id, last_name_key) where deleted_at is null and not administrator and last_name_key <> '';

-- The tags that everybody is shown, by name, and how many they are; whoever signs up can add to the others as much as they like.
drop index tag_order;
create index tag_shown on tag (name_key, name) where entered_at is not null;
-- The others, of which those that no entity has any more are forgotten.
create index tag_not_shown on tag (tag_id) where entered_at is null;

-- Who has an entity as a favorite. When an entity is deleted they lose it, in a transaction that transfers wait for.
create index favorite_of on favorite (favorite_id);
