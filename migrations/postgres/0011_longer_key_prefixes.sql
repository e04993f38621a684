-- The prefixes of a run have six bytes of each key, and not five: of 50 million keys, one of 20,000 new ones began like a stored one and was
-- searched in every run. Runs from before lose theirs, and their pages are read instead; so does an older host, to whom six bytes would
-- say something else, not open this database.
delete from key_prefix;
