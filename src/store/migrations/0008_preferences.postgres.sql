INSERT INTO edition_topic (edition, topic)
SELECT DISTINCT e.id, section->>'topic' FROM edition e, jsonb_array_elements(e.content::jsonb->'sections') section
WHERE e.state = 'published' AND section->>'topic' IS NOT NULL AND e.slot > (SELECT MAX(slot) FROM edition) - 14 * 86400;
INSERT INTO edition_followed (edition, story)
SELECT DISTINCT e.id, followed->>'story' FROM edition e, jsonb_array_elements(COALESCE(e.content::jsonb->'followed', '[]')) followed
WHERE e.state = 'published' AND followed->>'story' IS NOT NULL AND e.slot > (SELECT MAX(slot) FROM edition) - 14 * 86400;
