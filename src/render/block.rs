//! What a digest shows of a block of the publisher's.

use serde::Serialize;

use super::locale::Labels;
use super::markdown::{Passage, passage};
use super::story::web_link;
use crate::model::{Block, Edition, Language, Place};

#[derive(Debug, Clone, Serialize)]
pub(super) struct BlockView<'a> {
    /// That somebody paid for it, and who (§ 6 DDG); empty when nobody did.
    pub(super) mark: String,
    /// The language of its words.
    pub(super) language: &'static str,
    /// May be empty.
    pub(super) title: &'a str,
    /// The heading for where there is only text; may be empty.
    pub(super) headline: String,
    pub(super) words: Passage,
    /// What it lists.
    pub(super) items: Vec<BlockItem<'a>>,
    pub(super) has_items: bool,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct BlockItem<'a> {
    pub(super) title: &'a str,
    /// Empty when it has none.
    pub(super) url: &'a str,
}

impl<'a> BlockView<'a> {
    fn new(block: &'a Block, home: Language, labels: &Labels) -> Self {
        let language = block.language.unwrap_or(home).tag();
        let mark = block.sponsor.as_ref().map_or_else(String::new, |sponsor| {
            format!("{} · {sponsor}", labels.sponsored)
        });
        let headline = match (mark.as_str(), block.title.as_str()) {
            ("", title) => title.to_owned(),
            (mark, "") => mark.to_owned(),
            (mark, title) => format!("{mark}{} {title}", labels.colon),
        };
        let items = block.items.iter().map(|item| BlockItem {
            title: &item.title,
            url: item.url.as_deref().map(web_link).unwrap_or_default(),
        });
        Self {
            mark,
            language,
            title: &block.title,
            headline,
            words: passage(&block.text, language),
            items: items.collect(),
            has_items: !block.items.is_empty(),
        }
    }
}

/// Of whom a block is for, and of the publisher.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockLanguages {
    pub(super) reader: Language,
    pub(super) home: Language,
}

/// The blocks of `edition` for those who read a language: those that stand above all sections, and those below each one.
pub(super) fn blocks<'a>(
    edition: &'a Edition,
    languages: BlockLanguages,
    labels: &Labels,
) -> (Vec<BlockView<'a>>, Vec<Vec<BlockView<'a>>>) {
    let mut top = Vec::new();
    let sections = &edition.sections;
    let mut below: Vec<Vec<BlockView<'a>>> = sections.iter().map(|_| Vec::new()).collect();
    let mut blocks: Vec<&Block> = edition
        .blocks
        .iter()
        .filter(|block| block.language.is_none_or(|own| own == languages.reader))
        .collect();
    // Those of the end stand after those of the last section.
    blocks.sort_by_key(|block| match block.place {
        Place::Top => 0,
        Place::After(_) => 1,
        Place::End => 2,
    });
    for block in blocks {
        let place = match &block.place {
            Place::Top => None,
            Place::End => sections.len().checked_sub(1),
            Place::After(topic) => {
                let own = sections.iter().position(|section| section.topic == *topic);
                own.or(sections.len().checked_sub(1))
            }
        };
        let list = place.map_or(&mut top, |place| &mut below[place]);
        list.push(BlockView::new(block, languages.home, labels));
    }
    (top, below)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::*;
    use super::super::{Theme, digest};
    use crate::model::{Audience, Block, Edition, Language, Place, TopicId, Topics};

    fn block(place: Place, title: &str) -> Block {
        Block {
            place,
            title: title.into(),
            text: "Ein [Wort](https://example.org/wort).".into(),
            ..Block::default()
        }
    }

    fn with_blocks() -> Edition {
        let after = |topic: &str| Place::After(TopicId(topic.into()));
        let jobs = Block {
            text: String::new(),
            items: vec![
                item("Stellen", "Redakteurin", ""),
                item("Stellen", "Setzer & Drucker", ""),
            ],
            ..block(Place::End, "Stellen")
        };
        let paid = Block {
            sponsor: Some("Muster & Söhne GmbH".into()),
            ..block(after("ki"), "Rechner")
        };
        let english = Block {
            language: Some(Language::En),
            ..block(Place::Top, "Only in English")
        };
        Edition {
            blocks: vec![
                jobs,
                paid,
                english,
                block(after("recht"), "Umfrage"),
                block(Place::Top, "Gruß"),
            ],
            ..sample()
        }
    }

    /// In which order these stand in both bodies.
    fn assert_order(edition: &Edition, audience: &Audience, parts: &[&str]) {
        let digest = digest(&newsletter(), &Theme::default(), edition, audience).unwrap();
        let (html, text) = bodies(&digest);
        for body in [html, text] {
            let places: Vec<_> = parts.iter().map(|part| body.find(part)).collect();
            assert!(
                places.iter().all(Option::is_some) && places.is_sorted(),
                "{places:?} {body}"
            );
        }
    }

    #[test]
    fn blocks_stand_where_they_belong() {
        let everything = Audience::everything(Language::De);
        let parts = [
            "Gruß",
            "Ein Modell",
            "Rechner",
            "Ohne Datum",
            "Umfrage",
            "Redakteurin",
            "Setzer",
        ];
        assert_order(&with_blocks(), &everything, &parts);
        let (html, text) = bodies(&render(&with_blocks(), Language::De));
        assert!(!html.contains("Only in English") && !text.contains("Only in English"));
        assert_order(
            &with_blocks(),
            &Audience::everything(Language::En),
            &["Only in English", "Rechner"],
        );
    }

    #[test]
    fn what_was_paid_for_says_so_and_by_whom() {
        let (html, text) = bodies(&render(&with_blocks(), Language::De));
        assert!(
            html.contains("Anzeige · Muster &amp; Söhne GmbH</p>"),
            "{html}"
        );
        assert!(
            text.contains(
                "# Anzeige · Muster & Söhne GmbH: Rechner\nEin Wort (https://example.org/wort)."
            ),
            "{text}"
        );
    }

    #[test]
    fn a_block_whose_section_somebody_does_not_get_moves_up() {
        let audience = |topic: &str| Audience {
            topics: Topics::Only([TopicId(topic.into())].into()),
            ..Audience::everything(Language::De)
        };
        assert_order(
            &with_blocks(),
            &audience("ki"),
            &["Gruß", "Ein Modell", "Rechner", "Umfrage", "Redakteurin"],
        );
        assert_order(
            &with_blocks(),
            &audience("recht"),
            &["Gruß", "Rechner", "Ohne Datum", "Umfrage", "Redakteurin"],
        );
        assert_order(
            &with_blocks(),
            &audience("sport"),
            &["Gruß", "Rechner", "Umfrage", "Redakteurin"],
        );
    }
}
