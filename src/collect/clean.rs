//! Plain text, as every field of an item is.

use crate::model::is_unwanted;

/// A text on one line: white space folded, characters out that a mail must not carry or that change how
/// the text around them is shown.
pub(super) fn plain_text(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    // Most of a text stays as it is, and is taken over in long pieces.
    let (mut from, mut behind_space) = (0, true);
    for (at, c) in text.char_indices() {
        let is_space = c.is_whitespace() || c.is_control();
        if !is_space && (c.is_ascii() || !is_unwanted(c)) {
            behind_space = false;
            continue;
        }
        if c == ' ' && !behind_space {
            behind_space = true;
            continue;
        }
        line.push_str(&text[from..at]);
        from = at + c.len_utf8();
        if is_space && !behind_space {
            line.push(' ');
            behind_space = true;
        }
    }
    line.push_str(&text[from..]);
    line.truncate(line.trim_end().len());
    line
}

/// The first `max` characters of `text`, cut between words where possible. Takes ownership to cost nothing in
/// the common case of a short text.
pub(super) fn shorten(mut text: String, max: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(max) else {
        return text;
    };
    let cut = text[..end]
        .rfind(' ')
        .filter(|cut| *cut > end / 2)
        .unwrap_or(end);
    text.truncate(cut);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_fits_on_one_line() {
        assert_eq!(
            plain_text("  two \n\t lines\u{0}\u{1b}[31m "),
            "two lines [31m"
        );
        assert_eq!(plain_text("left\u{202e}thgir\u{200b}"), "leftthgir");
        assert_eq!(plain_text("👩\u{200d}💻 codes"), "👩\u{200d}💻 codes");
    }

    #[test]
    fn shortening_cuts_between_words() {
        assert_eq!(shorten("eins zwei drei".into(), 11), "eins zwei");
        assert_eq!(shorten("Donaudampfschifffahrt".into(), 5), "Donau");
        assert_eq!(shorten("äöü".into(), 3), "äöü");
    }
}
