-- The order in which items became news here: the number of the transaction that wrote them. Windows of editions go by it, as it only grows,
-- whatever the clocks of collectors say. 0 is one that is announced for later, -1 one that an older program has written. The setting
-- `item_number` is the last one given.
ALTER TABLE item ADD COLUMN number BIGINT NOT NULL DEFAULT -1;
-- When it was first seen, by the clock of who collected it.
ALTER TABLE item ADD COLUMN seen_at BIGINT;
CREATE INDEX item_number ON item (number);
CREATE INDEX item_unnumbered ON item (arrived) WHERE number <= 0;

-- Up to which item it covers; nothing where an older program has written it.
ALTER TABLE edition ADD COLUMN number BIGINT;
-- The history of a cadence, without what its editions say.
CREATE INDEX edition_history ON edition (newsletter, cadence, slot, number, state, until, created_at, id);
CREATE INDEX edition_unnumbered ON edition (until) WHERE number IS NULL AND state <> 'skipped';

-- What an edition has covered has its numbers; the next run gives the others theirs.
UPDATE item SET number = n.place
FROM (SELECT id AS item_id, ROW_NUMBER() OVER (ORDER BY arrived, id) AS place FROM item
      WHERE arrived < COALESCE((SELECT MAX(until) FROM edition WHERE state <> 'skipped'), 0)) n
WHERE item.id = n.item_id;
INSERT INTO setting (key, value) SELECT 'item_number', CAST(COALESCE(MAX(number), 0) AS TEXT) FROM item WHERE number > 0;
UPDATE edition SET number = (SELECT COALESCE(MAX(i.number), 0) FROM item i WHERE i.arrived < edition.until AND i.number > 0)
WHERE state <> 'skipped';

-- A mail that was refused as if its mailbox did not exist waits until the run has shown whether that can be believed.
ALTER TABLE delivery ADD COLUMN held BIGINT NOT NULL DEFAULT 0 CHECK (held IN (0, 1));
CREATE INDEX delivery_held ON delivery (subscriber) WHERE held = 1;
-- What somebody has missed goes with the next one.
CREATE INDEX delivery_failed ON delivery (subscriber, planned_at) WHERE state = 'failed';
CREATE INDEX delivery_failed_when ON delivery (planned_at) WHERE state = 'failed';
-- Since when it is tried: by this, and not by when it was planned, it is given up. Nobody may have run for days.
ALTER TABLE delivery ADD COLUMN tried_at BIGINT;
CREATE INDEX bounce_edition ON bounce (edition) WHERE kind = 'hard';

-- The form of the query, for programs that know an older one only.
ALTER TABLE story_query ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
