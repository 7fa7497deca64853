-- The newest items of one feed, for a block that lists them.
CREATE INDEX item_feed_feed ON item_feed (feed);
