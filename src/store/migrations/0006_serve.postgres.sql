CREATE FUNCTION consent_is_kept() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the consent log is only added to'; END $$;
CREATE TRIGGER consent_is_kept BEFORE UPDATE ON consent FOR EACH ROW EXECUTE FUNCTION consent_is_kept();

CREATE INDEX story_search ON story USING gin (string_to_array(terms, ' '));
