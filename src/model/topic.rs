//! What readers choose and rules match.

use super::FeedKey;

super::text_id! {
    /// The short name of a topic in the configuration and in a subscriber's choice.
    TopicId
}

/// A subject of the newsletter and the rule that finds its items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its short name.
    pub id: TopicId,
    /// Its heading in the digest.
    pub title: String,
    /// What makes an item belong. Without any, every item belongs that its feeds carry.
    pub keywords: Vec<Keyword>,
    /// What keeps an item out.
    pub exclude: Vec<Keyword>,
    /// How many stories the section shows at most.
    pub stories: usize,
    /// Feeds whose items all belong.
    pub feeds: Vec<FeedKey>,
}

/// A word or phrase that is looked for in items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyword {
    /// As it is configured.
    pub written: String,
    /// Its words.
    pub text: String,
    /// Where it must stand; title and lead without it.
    pub field: Option<Field>,
    /// Whether only these very words count (`"Open Source"` in quotes), not other forms of them.
    pub exact: bool,
    /// Whether no item belongs without it (`+KI`).
    pub required: bool,
}

/// A part of an item that a keyword can be limited to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The headline.
    Title,
    /// The name of the outlet.
    Source,
    /// Who wrote it.
    Author,
    /// The publisher's categories and tags.
    Category,
}

impl Field {
    /// All fields, each with its name in a keyword.
    pub const ALL: [(&'static str, Self); 4] = [
        ("title", Self::Title),
        ("source", Self::Source),
        ("author", Self::Author),
        ("category", Self::Category),
    ];
}

impl Keyword {
    /// Reads a keyword: `Sprachmodell`, `künstliche Intelligenz`, `"Open Source"` in quotes for these very words,
    /// `+KI` for one that must be there, `title:KI` for one that must stand in a field.
    ///
    /// # Errors
    /// When there is no word in it, or a field that items do not have.
    pub fn parse(written: &str) -> Result<Self, String> {
        let text = written.trim();
        let (required, text) = match text.strip_prefix('+') {
            Some(rest) => (true, rest.trim_start()),
            None => (false, text),
        };
        let field = Field::ALL.into_iter().find_map(|(name, field)| {
            let (head, rest) = text.split_at_checked(name.len())?;
            let rest = rest.strip_prefix(':')?;
            head.eq_ignore_ascii_case(name)
                .then_some((field, rest.trim_start()))
        });
        let (field, text) = field.map_or((None, text), |(field, rest)| (Some(field), rest));
        if text.starts_with('-') {
            return Err(format!(
                "“{written}” belongs into `exclude`, without its hyphen"
            ));
        }
        if let Some((name, rest)) = text.split_once(':')
            && field.is_none()
            && name.chars().all(char::is_alphabetic)
            && rest.starts_with(|c: char| c.is_alphanumeric() || c == '"')
        {
            let known = Field::ALL.map(|(name, _)| name).join(", ");
            return Err(format!("there is no field “{name}”, only {known}"));
        }
        let quotes = |c: char| matches!(c, '"' | '“' | '”' | '„');
        let exact = text.chars().count() > 2 && text.starts_with(quotes) && text.ends_with(quotes);
        let text = text.trim_matches(quotes).trim();
        if !text.chars().any(char::is_alphanumeric) {
            return Err(format!("“{written}” has no word in it"));
        }
        Ok(Self {
            written: written.trim().to_owned(),
            text: text.to_owned(),
            field,
            exact,
            required,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyword_says_what_must_stand_where() {
        let keyword = |text| {
            let keyword = Keyword::parse(text).unwrap();
            (keyword.text, keyword.field, keyword.exact, keyword.required)
        };
        assert_eq!(
            keyword("künstliche Intelligenz"),
            ("künstliche Intelligenz".into(), None, false, false)
        );
        assert_eq!(
            keyword("\"Open Source\""),
            ("Open Source".into(), None, true, false)
        );
        assert_eq!(keyword("+KI"), ("KI".into(), None, false, true));
        assert_eq!(
            keyword("+ Title: „Go“"),
            ("Go".into(), Some(Field::Title), true, true)
        );
        assert_eq!(
            keyword("source:Heise online"),
            ("Heise online".into(), Some(Field::Source), false, false)
        );
        // A colon that names no field is part of the text.
        assert_eq!(
            keyword("Mission: Mars"),
            ("Mission: Mars".into(), None, false, false)
        );
        assert_eq!(keyword("C++"), ("C++".into(), None, false, false));
        for wrong in ["titel:KI", "body:\"KI\"", "-Gewinn"] {
            assert!(Keyword::parse(wrong).is_err(), "{wrong}");
        }
        for empty in ["", "+", "title:", "\"\"", "…"] {
            assert!(Keyword::parse(empty).is_err(), "{empty}");
        }
    }
}
