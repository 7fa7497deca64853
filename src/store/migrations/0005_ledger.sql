-- Who sends. One that has not been heard of for the length of a lease is taken for dead.
CREATE TABLE worker (
    id       BIGINT PRIMARY KEY,
    heard_at BIGINT NOT NULL
);

-- Whose lease it is, and whether its message may have gone out.
ALTER TABLE delivery ADD COLUMN worker BIGINT;
ALTER TABLE delivery ADD COLUMN begun BIGINT NOT NULL DEFAULT 0 CHECK (begun IN (0, 1));

DROP INDEX delivery_due;
CREATE INDEX delivery_due ON delivery (due_at, id) WHERE state IN ('pending', 'deferred');
CREATE INDEX delivery_leased ON delivery (worker) WHERE state = 'leased';

-- Addresses that must not be mailed, whoever brings them.
CREATE TABLE suppression (
    address_key TEXT PRIMARY KEY,
    reason      TEXT NOT NULL CHECK (reason IN ('hard', 'soft', 'complaint')),
    detail      TEXT,
    since       BIGINT NOT NULL
);

-- Mail that did not reach its mailbox, one for each edition at most.
CREATE TABLE bounce (
    subscriber BIGINT NOT NULL REFERENCES subscriber (id) ON DELETE CASCADE,
    edition    TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('hard', 'soft', 'complaint', 'sender-fault')),
    at         BIGINT NOT NULL,
    detail     TEXT,
    PRIMARY KEY (subscriber, edition)
);
