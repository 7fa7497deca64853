CREATE TRIGGER consent_is_kept BEFORE UPDATE ON consent
BEGIN
    SELECT RAISE(ABORT, 'the consent log is only added to');
END;

CREATE VIRTUAL TABLE story_search USING fts5 (terms, content = 'story', content_rowid = 'id', tokenize = 'ascii');
CREATE TRIGGER story_is_searched AFTER INSERT ON story
BEGIN
    INSERT INTO story_search (rowid, terms) VALUES (new.id, new.terms);
END;
CREATE TRIGGER story_is_forgotten AFTER DELETE ON story
BEGIN
    INSERT INTO story_search (story_search, rowid, terms) VALUES ('delete', old.id, old.terms);
END;

-- A store that was copied into another one (`tidings store copy`) takes nothing more, from whoever had it open.
CREATE TRIGGER subscriber_has_moved BEFORE INSERT ON subscriber WHEN EXISTS (SELECT 1 FROM setting WHERE key = 'moved_to')
BEGIN
    SELECT RAISE(ABORT, 'the store was copied into another one, and is out of use');
END;
CREATE TRIGGER choice_has_moved BEFORE UPDATE ON subscriber WHEN EXISTS (SELECT 1 FROM setting WHERE key = 'moved_to')
BEGIN
    SELECT RAISE(ABORT, 'the store was copied into another one, and is out of use');
END;
CREATE TRIGGER signup_has_moved BEFORE INSERT ON signup WHEN EXISTS (SELECT 1 FROM setting WHERE key = 'moved_to')
BEGIN
    SELECT RAISE(ABORT, 'the store was copied into another one, and is out of use');
END;
