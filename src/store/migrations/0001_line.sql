-- Times are seconds since 1970 in UTC. Booleans are 0 and 1. {id} is the engine's ascending 64-bit key.

-- What belongs to the store as a whole: `newsletter`, the id of the one that it holds.
CREATE TABLE setting (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE feed (
    key           TEXT PRIMARY KEY,
    title         TEXT,
    etag          TEXT,
    last_modified TEXT,
    fetched_at    BIGINT,
    succeeded_at  BIGINT,
    failures      BIGINT NOT NULL DEFAULT 0,
    error         TEXT
);

CREATE TABLE item (
    id         {id},
    key        TEXT NOT NULL UNIQUE,
    source     TEXT NOT NULL,
    title      TEXT NOT NULL,
    url        TEXT,
    summary    TEXT NOT NULL,
    words      BIGINT NOT NULL,
    author     TEXT,
    language   TEXT,
    published  BIGINT NOT NULL,
    dated      BIGINT NOT NULL CHECK (dated IN (0, 1)),
    arrived    BIGINT NOT NULL
);
CREATE INDEX item_arrived ON item (arrived);

-- Which feeds carry an item.
CREATE TABLE item_feed (
    item TEXT NOT NULL REFERENCES item (key),
    feed TEXT NOT NULL,
    PRIMARY KEY (item, feed)
);

CREATE TABLE subscriber (
    id           {id},
    token        TEXT NOT NULL UNIQUE,
    address      TEXT NOT NULL,
    address_key  TEXT NOT NULL UNIQUE,
    name         TEXT NOT NULL,
    cadence      TEXT NOT NULL,
    language     TEXT,
    state        TEXT NOT NULL CHECK (state IN ('pending', 'confirmed', 'unsubscribed')),
    origin       TEXT NOT NULL CHECK (origin IN ('command', 'import', 'config')),
    created_at   BIGINT NOT NULL,
    confirmed_at BIGINT,
    CHECK (state <> 'confirmed' OR confirmed_at IS NOT NULL)
);
CREATE INDEX subscriber_due ON subscriber (cadence, state);

-- No row: the subscriber wants every topic.
CREATE TABLE subscriber_topic (
    subscriber BIGINT NOT NULL REFERENCES subscriber (id) ON DELETE CASCADE,
    topic      TEXT NOT NULL,
    PRIMARY KEY (subscriber, topic)
);

-- published: has deliveries. quiet: no story, no mail. skipped: its time had passed.
CREATE TABLE edition (
    id         TEXT PRIMARY KEY,
    newsletter TEXT NOT NULL,
    cadence    TEXT NOT NULL,
    slot       BIGINT NOT NULL,
    until      BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('published', 'quiet', 'skipped')),
    content    TEXT NOT NULL,
    UNIQUE (newsletter, cadence, slot)
);

CREATE TABLE edition_item (
    edition TEXT NOT NULL REFERENCES edition (id),
    item    TEXT NOT NULL,
    PRIMARY KEY (edition, item)
);

CREATE TABLE delivery (
    id         {id},
    edition    TEXT NOT NULL REFERENCES edition (id),
    subscriber BIGINT NOT NULL REFERENCES subscriber (id),
    state      TEXT NOT NULL DEFAULT 'pending'
               CHECK (state IN ('pending', 'leased', 'sent', 'deferred', 'failed', 'unknown', 'cancelled')),
    attempts   BIGINT NOT NULL DEFAULT 0,
    planned_at BIGINT NOT NULL,
    due_at     BIGINT NOT NULL,
    ended_at   BIGINT,
    answer     TEXT,
    UNIQUE (edition, subscriber)
);
CREATE INDEX delivery_due ON delivery (state, due_at, id);
