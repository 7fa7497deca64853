-- A JSON array of texts.
ALTER TABLE item ADD COLUMN categories TEXT NOT NULL DEFAULT '[]';

-- In how many items each term occurred: what words are usual here. `setting` knows how many items were counted
-- (`vocabulary_documents`) and up to when (`vocabulary_until`).
CREATE TABLE vocabulary (
    term      TEXT PRIMARY KEY,
    documents BIGINT NOT NULL
);
