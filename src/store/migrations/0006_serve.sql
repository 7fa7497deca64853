-- What readers ask for, agree to and choose by themselves, and what they find in the archive.

-- A subscriber may have come by a form, too.
ALTER TABLE subscriber ADD COLUMN came_by TEXT NOT NULL DEFAULT 'command'
    CHECK (came_by IN ('command', 'import', 'config', 'form'));
UPDATE subscriber SET came_by = origin;
ALTER TABLE subscriber DROP COLUMN origin;
ALTER TABLE subscriber RENAME COLUMN came_by TO origin;

ALTER TABLE subscriber ADD COLUMN length TEXT NOT NULL DEFAULT 'full' CHECK (length IN ('full', 'short', 'headlines'));
-- The hour of the day from which on mail may come, in that time zone; at once without it.
ALTER TABLE subscriber ADD COLUMN send_hour BIGINT CHECK (send_hour BETWEEN 0 AND 23);
ALTER TABLE subscriber ADD COLUMN timezone TEXT;
ALTER TABLE subscriber ADD COLUMN paused_until BIGINT;
ALTER TABLE subscriber ADD COLUMN left_at BIGINT;
CREATE INDEX subscriber_hour ON subscriber (send_hour, timezone) WHERE send_hour IS NOT NULL;

-- What somebody asked for on a form. Nothing comes of it until it is confirmed; it is deleted when it can no longer be.
-- Its number is random, and so is that of a change and of a letter: links are sealed for it, and must not lead to somebody else when it
-- is deleted. `mailbox` is the address without what anybody can add to it.
CREATE TABLE signup (
    id           BIGINT PRIMARY KEY,
    address      TEXT NOT NULL,
    address_key  TEXT NOT NULL,
    mailbox      TEXT NOT NULL,
    cadence      TEXT NOT NULL,
    language     TEXT NOT NULL,
    topics       TEXT NOT NULL,
    follow       TEXT,
    ip           TEXT NOT NULL,
    network      TEXT NOT NULL,
    form         TEXT NOT NULL,
    consent      TEXT NOT NULL,
    requested_at BIGINT NOT NULL,
    confirmed_at BIGINT
);
CREATE INDEX signup_address ON signup (address_key, requested_at);
CREATE INDEX signup_mailbox ON signup (mailbox, requested_at);
CREATE INDEX signup_network ON signup (network, requested_at);

-- Texts that people agreed to, by the SHA-256 of each.
CREATE TABLE consent_text (
    hash TEXT PRIMARY KEY,
    text TEXT NOT NULL
);

-- The proof of consent (Art. 7 (1) GDPR): what was done, when, from where, and what it said. Only added to.
CREATE TABLE consent (
    id         {id},
    subscriber BIGINT NOT NULL,
    event      TEXT NOT NULL
               CHECK (event IN ('requested', 'confirmed', 'added', 'chosen', 'moved', 'left', 'returned')),
    at         BIGINT NOT NULL,
    ip         TEXT,
    form       TEXT NOT NULL,
    text       TEXT REFERENCES consent_text (hash),
    details    TEXT
);
CREATE INDEX consent_subscriber ON consent (subscriber, id);

CREATE TABLE address_change (
    id           BIGINT PRIMARY KEY,
    subscriber   BIGINT NOT NULL REFERENCES subscriber (id) ON DELETE CASCADE,
    address      TEXT NOT NULL,
    address_key  TEXT NOT NULL,
    ip           TEXT NOT NULL,
    requested_at BIGINT NOT NULL,
    confirmed_at BIGINT
);
CREATE INDEX address_change_subscriber ON address_change (subscriber, requested_at);

-- Mails to one person that are no edition. What `about` numbers depends on the kind: a sign-up, a change or a subscriber.
CREATE TABLE letter (
    id          BIGINT PRIMARY KEY,
    kind        TEXT NOT NULL CHECK (kind IN ('confirmation', 'known', 'move', 'moved', 'welcome', 'goodbye')),
    about       BIGINT NOT NULL,
    address     TEXT NOT NULL,
    address_key TEXT NOT NULL,
    mailbox     TEXT NOT NULL,
    language    TEXT NOT NULL,
    state       TEXT NOT NULL DEFAULT 'pending'
                CHECK (state IN ('pending', 'begun', 'sent', 'failed', 'unknown', 'dropped')),
    attempts    BIGINT NOT NULL DEFAULT 0,
    created_at  BIGINT NOT NULL,
    due_at      BIGINT NOT NULL,
    ended_at    BIGINT,
    answer      TEXT
);
CREATE INDEX letter_due ON letter (due_at, id) WHERE state = 'pending';
CREATE INDEX letter_begun ON letter (id) WHERE state = 'begun';
CREATE INDEX letter_address ON letter (address_key, created_at);
CREATE INDEX letter_mailbox ON letter (mailbox, ended_at);

-- Who has been erased, by a keyed hash of the address: no list brings them back.
CREATE TABLE erased (
    hash TEXT PRIMARY KEY,
    at   BIGINT NOT NULL
);

-- The stories of published editions, each as its lead tells it. `terms` are what its words have in common with their other forms.
CREATE TABLE story (
    id        {id},
    key       TEXT NOT NULL,
    edition   TEXT NOT NULL REFERENCES edition (id),
    topic     TEXT NOT NULL,
    place     BIGINT NOT NULL,
    slot      BIGINT NOT NULL,
    title     TEXT NOT NULL,
    url       TEXT,
    source    TEXT NOT NULL,
    summary   TEXT NOT NULL,
    language  TEXT,
    published BIGINT NOT NULL,
    terms     TEXT NOT NULL,
    UNIQUE (edition, place)
);
CREATE INDEX story_key ON story (key, slot);
CREATE INDEX story_topic ON story (topic, id);
ALTER TABLE edition ADD COLUMN indexed BIGINT NOT NULL DEFAULT 0 CHECK (indexed IN (0, 1));
CREATE INDEX edition_slot ON edition (slot) WHERE state = 'published';
CREATE INDEX edition_new ON edition (id) WHERE indexed = 0;

-- What is like a story, as a query (JSON).
CREATE TABLE story_query (
    key   TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    query TEXT NOT NULL
);

-- Who wants more like which story: in their digests, or at once.
CREATE TABLE follow (
    subscriber BIGINT NOT NULL REFERENCES subscriber (id) ON DELETE CASCADE,
    story      TEXT NOT NULL REFERENCES story_query (key),
    at_once    BIGINT NOT NULL DEFAULT 0 CHECK (at_once IN (0, 1)),
    since      BIGINT NOT NULL,
    PRIMARY KEY (subscriber, story)
);
CREATE INDEX follow_story ON follow (story, at_once);
