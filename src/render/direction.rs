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

/// That of every language that mails are written in. The layout does not rely on it.
pub(super) const OF_MAILS: Direction = Direction::LeftToRight;

/// The direction of `text`, which is said to be in `language` (a BCP 47 tag): that of most of its letters, as feeds err
/// about their language; without letters, that of the language.
pub(super) fn direction_of(language: Option<&str>, text: &str) -> Direction {
    const RIGHT_TO_LEFT: [&str; 11] = [
        "ar", "arc", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi",
    ];
    // Hebrew to Arabic and their presentation forms.
    let from_right = |c: &char| matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}');
    let letters = text.chars().filter(|c| c.is_alphabetic());
    let (right, left): (Vec<char>, Vec<char>) = letters.partition(from_right);
    let primary = language.and_then(|tag| tag.split('-').next());
    let is_right = if right.is_empty() && left.is_empty() {
        primary.is_some_and(|primary| RIGHT_TO_LEFT.contains(&primary))
    } else {
        right.len() > left.len()
    };
    if is_right {
        Direction::RightToLeft
    } else {
        Direction::LeftToRight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_letters_tell_the_direction_and_else_the_language() {
        for (language, text, start) in [
            (Some("de"), "KI: شبكة جديدة", "right"),
            (Some("ar"), "Android 17", "left"),
            (Some("ar"), "2026", "right"),
            (Some("he-IL"), "", "right"),
            (None, "«شبكة جديدة»", "right"),
            (None, "Das Wort רשת im Satz", "left"),
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
