//! The languages that items are read in.

use frostem::{Algorithm, Stemmer};
use whatlang::{Detector, Lang};

/// A language whose words Tidings knows: it has a stemmer for them and a list of how common they are.
///
/// It is not a [`Language`](crate::model::Language), which a digest is written in. Texts in any other
/// language are compared by groups of letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tongue {
    /// Danish.
    Da,
    /// German.
    De,
    /// English.
    En,
    /// Spanish.
    Es,
    /// Finnish.
    Fi,
    /// French.
    Fr,
    /// Italian.
    It,
    /// Dutch.
    Nl,
    /// Norwegian.
    No,
    /// Polish.
    Pl,
    /// Portuguese.
    Pt,
    /// Swedish.
    Sv,
}

impl Tongue {
    /// All of them, in the order of their tags.
    pub const ALL: [Self; 12] = [
        Self::Da,
        Self::De,
        Self::En,
        Self::Es,
        Self::Fi,
        Self::Fr,
        Self::It,
        Self::Nl,
        Self::No,
        Self::Pl,
        Self::Pt,
        Self::Sv,
    ];

    /// The primary BCP 47 subtag: `de`, `en`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Da => "da",
            Self::De => "de",
            Self::En => "en",
            Self::Es => "es",
            Self::Fi => "fi",
            Self::Fr => "fr",
            Self::It => "it",
            Self::Nl => "nl",
            Self::No => "no",
            Self::Pl => "pl",
            Self::Pt => "pt",
            Self::Sv => "sv",
        }
    }

    /// The language of a tag such as `de`, `de-AT` or `nb_NO`.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next()?.to_ascii_lowercase();
        match primary.as_str() {
            // Bokmål and Nynorsk; the stemmer and most texts are Bokmål.
            "nb" | "nn" => Some(Self::No),
            primary => Self::ALL.into_iter().find(|tongue| tongue.tag() == primary),
        }
    }

    /// Whether it writes words that are made of words as one.
    pub(super) fn writes_compounds(self) -> bool {
        matches!(
            self,
            Self::Da | Self::De | Self::Fi | Self::Nl | Self::No | Self::Sv
        )
    }

    pub(super) fn stemmer(self) -> Stemmer {
        Stemmer::new(match self {
            Self::Da => Algorithm::Danish,
            Self::De => Algorithm::German,
            Self::En => Algorithm::English,
            Self::Es => Algorithm::Spanish,
            Self::Fi => Algorithm::Finnish,
            Self::Fr => Algorithm::French,
            Self::It => Algorithm::Italian,
            Self::Nl => Algorithm::Dutch,
            Self::No => Algorithm::Norwegian,
            Self::Pl => Algorithm::Polish,
            Self::Pt => Algorithm::Portuguese,
            Self::Sv => Algorithm::Swedish,
        })
    }

    fn lang(self) -> Lang {
        match self {
            Self::Da => Lang::Dan,
            Self::De => Lang::Deu,
            Self::En => Lang::Eng,
            Self::Es => Lang::Spa,
            Self::Fi => Lang::Fin,
            Self::Fr => Lang::Fra,
            Self::It => Lang::Ita,
            Self::Nl => Lang::Nld,
            Self::No => Lang::Nob,
            Self::Pl => Lang::Pol,
            Self::Pt => Lang::Por,
            Self::Sv => Lang::Swe,
        }
    }

    fn of(lang: Lang) -> Option<Self> {
        Self::ALL.into_iter().find(|tongue| tongue.lang() == lang)
    }
}

/// Tells the language of texts whose feeds do not.
pub(super) struct Detection {
    /// Among the languages that are to be expected: short headlines leave too much room for doubt else.
    expected: Detector,
    any: Detector,
    usual: Option<Tongue>,
}

/// So many characters are enough to tell a language.
const ENOUGH: usize = 240;

impl Detection {
    /// `expected` are the languages of the newsletter and its feeds, the most usual one first.
    pub(super) fn among(expected: &[Tongue]) -> Self {
        Self {
            expected: Detector::with_allowlist(
                expected.iter().map(|tongue| tongue.lang()).collect(),
            ),
            any: Detector::new(),
            usual: expected.first().copied(),
        }
    }

    /// The language of a text; `None` when it is one that Tidings does not know.
    pub(super) fn tongue(&self, title: &str, summary: &str) -> Option<Tongue> {
        let text: String = title
            .chars()
            .chain([' '])
            .chain(summary.chars())
            .take(ENOUGH)
            .collect();
        if let Some(info) = self.any.detect(&text)
            && info.is_reliable()
        {
            return Tongue::of(info.lang());
        }
        match self.expected.detect_lang(&text) {
            Some(lang) => Tongue::of(lang),
            // No letters of such a script at all.
            None if text.chars().any(char::is_alphabetic) => None,
            None => self.usual,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_its_language_with_or_without_a_region() {
        assert_eq!(Tongue::from_tag("de-AT"), Some(Tongue::De));
        assert_eq!(Tongue::from_tag("nb"), Some(Tongue::No));
        assert_eq!(Tongue::from_tag("PT_br"), Some(Tongue::Pt));
        assert_eq!(Tongue::from_tag("cs"), None);
        for tongue in Tongue::ALL {
            assert_eq!(Tongue::from_tag(tongue.tag()), Some(tongue));
        }
    }

    #[test]
    fn a_text_without_a_tag_shows_its_language() {
        let detection = Detection::among(&[Tongue::De, Tongue::En]);
        for (text, tongue) in [
            (
                "Die Bundesregierung will den Ausbau der Netze beschleunigen",
                Some(Tongue::De),
            ),
            (
                "The government wants to speed up the building of networks",
                Some(Tongue::En),
            ),
            ("Kündigung für Mieter", Some(Tongue::De)),
            (
                "El gobierno quiere acelerar la construcción de las redes eléctricas en el norte",
                Some(Tongue::Es),
            ),
            ("Правительство хочет ускорить строительство сетей", None),
            ("日本の人工知能", None),
            ("2026 🎉", Some(Tongue::De)),
        ] {
            assert_eq!(detection.tongue(text, ""), tongue, "{text}");
        }
    }
}
