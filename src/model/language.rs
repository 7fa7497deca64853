//! The languages that a digest can be written in.

use serde::{Deserialize, Serialize};

/// A language that all fixed words of a mail exist in.
///
/// Items may be in any language; theirs is a plain tag on the [`Item`](crate::model::Item).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// German.
    De,
    /// English.
    En,
    /// French.
    Fr,
    /// Spanish.
    Es,
    /// Italian.
    It,
    /// Dutch.
    Nl,
}

impl Language {
    /// All languages, in the order in which messages name them.
    pub const ALL: [Language; 6] = [
        Language::De,
        Language::En,
        Language::Fr,
        Language::Es,
        Language::It,
        Language::Nl,
    ];

    /// The BCP 47 tag: `de`, `en`.
    pub fn tag(self) -> &'static str {
        match self {
            Language::De => "de",
            Language::En => "en",
            Language::Fr => "fr",
            Language::Es => "es",
            Language::It => "it",
            Language::Nl => "nl",
        }
    }

    /// The tags of all languages, for messages: “de, en, …”.
    pub fn known() -> String {
        Self::ALL.map(Self::tag).join(", ")
    }

    /// The language of a tag such as `de`, `de-AT` or `EN_us`; `None` when no digest is written in it.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next()?.to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|language| language.tag() == primary)
    }
}

impl std::fmt::Display for Language {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.tag())
    }
}
