-- What else subscribers choose. `days` has a bit a day, Monday's first; every day without it. `reading` is JSON: what makes digests
-- differ beside language, topics and length.
ALTER TABLE subscriber ADD COLUMN days BIGINT CHECK (days BETWEEN 1 AND 127);
ALTER TABLE subscriber ADD COLUMN reading TEXT NOT NULL DEFAULT '{}';
CREATE INDEX subscriber_days ON subscriber (days, timezone) WHERE days IS NOT NULL;

-- What an edition is about, by which it is decided who gets it.
CREATE TABLE edition_topic (
    edition TEXT NOT NULL REFERENCES edition (id),
    topic   TEXT NOT NULL,
    PRIMARY KEY (edition, topic)
);
-- Of which followed stories it has news.
CREATE TABLE edition_followed (
    edition TEXT NOT NULL REFERENCES edition (id),
    story   TEXT NOT NULL,
    PRIMARY KEY (edition, story)
);

-- Its reader did not want a mail then: its news go with the next one.
ALTER TABLE delivery ADD COLUMN owed BIGINT NOT NULL DEFAULT 0 CHECK (owed IN (0, 1));
CREATE INDEX delivery_owed ON delivery (subscriber, planned_at) WHERE owed = 1;
