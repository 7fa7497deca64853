-- What is known of a feed so that it can be asked politely. `failure` and `pace` are JSON.
ALTER TABLE feed DROP COLUMN error;
ALTER TABLE feed ADD COLUMN failure TEXT;
ALTER TABLE feed ADD COLUMN rests_until BIGINT;
ALTER TABLE feed ADD COLUMN pace TEXT;
ALTER TABLE feed ADD COLUMN moved_to TEXT;
ALTER TABLE feed ADD COLUMN newest_at BIGINT;
ALTER TABLE feed ADD COLUMN items_a_day DOUBLE PRECISION;

ALTER TABLE item ADD COLUMN image TEXT;
ALTER TABLE item ADD COLUMN comments_url TEXT;
ALTER TABLE item ADD COLUMN comments BIGINT;
ALTER TABLE item ADD COLUMN mark TEXT;
ALTER TABLE item ADD COLUMN relayed BIGINT NOT NULL DEFAULT 0 CHECK (relayed IN (0, 1));

-- The keys of items that were pruned: should a feed show one again, it is old news.
CREATE TABLE forgotten (
    key TEXT PRIMARY KEY
);
