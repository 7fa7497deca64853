INSERT INTO edition_topic (edition, topic)
SELECT DISTINCT e.id, json_extract(section.value, '$.topic') FROM edition e, json_each(e.content, '$.sections') section
WHERE e.state = 'published' AND json_valid(e.content) AND json_extract(section.value, '$.topic') IS NOT NULL
AND e.slot > (SELECT MAX(slot) FROM edition) - 14 * 86400;
INSERT INTO edition_followed (edition, story)
SELECT DISTINCT e.id, json_extract(followed.value, '$.story') FROM edition e, json_each(e.content, '$.followed') followed
WHERE e.state = 'published' AND json_valid(e.content) AND json_extract(followed.value, '$.story') IS NOT NULL
AND e.slot > (SELECT MAX(slot) FROM edition) - 14 * 86400;
