//! In which direction a text runs.

/// A direction of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    LeftToRight,
    RightToLeft,
}

impl Direction {
    /// The word of HTML's `dir`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::LeftToRight => "ltr",
            Self::RightToLeft => "rtl",
        }
    }

    /// The side on which its lines begin. Mail clients do not know `text-align: start`.
    pub(super) fn start(self) -> &'static str {
        match self {
            Self::LeftToRight => "left",
            Self::RightToLeft => "right",
        }
    }

    /// The other one.
    pub(super) fn opposite(self) -> Self {
        match self {
            Self::LeftToRight => Self::RightToLeft,
            Self::RightToLeft => Self::LeftToRight,
        }
    }
}

/// The direction of a text in `language` (a BCP 47 tag), or, when that is unknown, of a text that reads so.
pub(super) fn direction_of(language: Option<&str>, text: &str) -> Direction {
    const RIGHT_TO_LEFT: [&str; 11] = [
        "ar", "arc", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi",
    ];
    let from_right = match language.and_then(|tag| tag.split('-').next()) {
        Some(primary) => RIGHT_TO_LEFT.contains(&primary),
        // The first letter that has a direction decides (Unicode Standard Annex 9, P2 and P3).
        None => text
            .chars()
            .find(|c| c.is_alphabetic())
            .is_some_and(|c| matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}')),
    };
    if from_right {
        Direction::RightToLeft
    } else {
        Direction::LeftToRight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_tells_the_direction_and_else_the_letters() {
        for (language, text, start) in [
            (Some("ar"), "AI", "right"),
            (Some("he-IL"), "", "right"),
            (Some("de"), "شبكة", "left"),
            (None, "5G: شبكة جديدة", "left"),
            (None, "«شبكة جديدة»", "right"),
            (None, "רשת", "right"),
            (None, "Netz", "left"),
            (None, "2026", "left"),
        ] {
            assert_eq!(
                direction_of(language, text).start(),
                start,
                "{language:?} {text}"
            );
        }
    }
}
