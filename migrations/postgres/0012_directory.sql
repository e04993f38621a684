-- The directory: what members and visitors find entities by. Written by host/src/directory, and by host/src/parties in the transaction that
-- changes an entity, so that what is found and what is there never part.
--
-- Neither engine's own ideas of letters are used, because they differ: case, accents and words are folded in Rust into the columns that
-- end with `_key`, and the search tables hold opaque ASCII tokens that Rust made of them.

-- Folded texts of an entity. The first is null: written by a version before; a host that starts makes them, and what else is missing.
alter table entity add column name_key text;
-- In lower case only: what follows the last letter of an address matters.
alter table entity add column email_key text;
alter table entity add column city_key text;
alter table entity add column region_key text;
alter table entity add column country_key text;
create index entity_unkeyed on entity (entity_id) where name_key is null;

-- The entities that can be found, oldest first, and how many they are.
create index entity_listed on entity (entity_id) where status in ('accepted', 'tradingPending', 'tradingAccepted', 'tradingRejected');

-- Whether the entity of a tag can be found: a copy of what its status says, so that a search reads one index and no entity.
alter table entity_tag add column listed boolean not null default false;
update entity_tag set listed = true where entity_id in
    (select entity_id from entity where status in ('accepted', 'tradingPending', 'tradingAccepted', 'tradingRejected'));
-- Everything that a search for a tag asks, in its order.
create index entity_tag_search on entity_tag (name, kind, listed, added_at, entity_id);

-- Who is listed under a category.
create index entity_category_name on entity_category (name, entity_id);

-- Every tag that an entity has or an administrator made, once.
create table tag (
    tag_id      uuid not null primary key,
    -- Sorted byte by byte, as SQLite does, and not as the database's language has it; so is the next.
    name        text collate "C" not null,
    -- Folded: what searches compare, and lists are sorted by.
    name_key    text collate "C" not null,
    -- When it entered the vocabulary that everybody is shown. Null: nobody has it but entities that cannot be found.
    entered_at  bigint,
    constraint "tag.name" unique (name)
);

-- The list of tags by name.
create index tag_order on tag (name_key, name);

-- The tokens of each tag.
create table tag_search (
    tag_id uuid not null primary key,
    tokens tsvector not null
);
create index tag_search_tokens on tag_search using gin (tokens) with (fastupdate = off);

-- What administrators put entities under.
create table category (
    category_id uuid not null primary key,
    name        text not null,
    -- Folded. Two that differ in case or accents only would be taken for each other.
    name_key    text not null,
    constraint "category.name_key" unique (name_key)
);

-- The tokens of each entity's name.
create table entity_search (
    entity_id uuid not null primary key,
    tokens tsvector not null
);
create index entity_search_tokens on entity_search using gin (tokens) with (fastupdate = off);

-- The entities that an entity has as its favorites.
create table favorite (
    entity_id   uuid not null references entity,
    favorite_id uuid not null references entity,
    primary key (entity_id, favorite_id)
);
