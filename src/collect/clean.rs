//! Text from outside becomes plain text here, once, for every field.
//!
//! The digest never shows a feed's mark-up. HTML goes through html5ever's *tokenizer* only: it builds no
//! tree, so it is linear in the input and cannot be driven into the quadratic work or the stack overflow
//! that deep nesting causes in tree-based sanitisers.

use std::cell::{Cell, RefCell};

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
    states::RawKind,
};

use crate::model::is_unwanted;

/// The text of an HTML fragment on one line: tags gone, entities resolved, white space folded, control
/// and bidirectional-override characters out.
pub fn html_text(html: &str) -> String {
    if !html.contains(['<', '&']) {
        return plain_text(html);
    }
    let tokenizer = Tokenizer::new(TextSink::default(), TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(html));
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    plain_text(&tokenizer.sink.text.borrow())
}

/// A text on one line: white space folded, characters out that a mail must not carry or that change how
/// the text around them is shown.
pub(super) fn plain_text(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() {
            if !line.is_empty() && !line.ends_with(' ') {
                line.push(' ');
            }
        } else if !is_unwanted(c) {
            line.push(c);
        }
    }
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

/// Gathers the character tokens outside of elements whose content is not text for people.
#[derive(Default)]
struct TextSink {
    text: RefCell<String>,
    /// The raw-text element that we are inside of, when its content must not show.
    hidden: Cell<bool>,
}

impl TokenSink for TextSink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        match token {
            Token::CharacterTokens(characters) if !self.hidden.get() => {
                self.text.borrow_mut().push_str(&characters);
            }
            Token::TagToken(tag) => {
                let name = &*tag.name;
                if !is_inline(name) {
                    self.text.borrow_mut().push(' ');
                }
                let raw = match name {
                    "script" => Some(RawKind::ScriptData),
                    "style" | "iframe" | "noembed" | "noframes" | "xmp" => Some(RawKind::Rawtext),
                    "textarea" | "title" => Some(RawKind::Rcdata),
                    _ => None,
                };
                match (raw, tag.kind) {
                    (Some(kind), TagKind::StartTag) => {
                        self.hidden.set(true);
                        return TokenSinkResult::RawData(kind);
                    }
                    (Some(_), TagKind::EndTag) => self.hidden.set(false),
                    (None, _) => {}
                }
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

/// Elements that do not break a word: `H<sub>2</sub>O` is one.
fn is_inline(name: &str) -> bool {
    matches!(
        name,
        "a" | "abbr"
            | "b"
            | "bdi"
            | "bdo"
            | "cite"
            | "code"
            | "del"
            | "dfn"
            | "em"
            | "font"
            | "i"
            | "ins"
            | "kbd"
            | "mark"
            | "q"
            | "s"
            | "samp"
            | "small"
            | "span"
            | "strike"
            | "strong"
            | "sub"
            | "sup"
            | "tt"
            | "u"
            | "var"
            | "wbr"
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn mark_up_becomes_text() {
        for (html, text) in [
            ("<p>One</p><p>Two &amp; three</p>", "One Two & three"),
            ("H<sub>2</sub>O<br>and&nbsp;more", "H2O and more"),
            ("a<script>alert('<b>x</b>')</script>b", "a b"),
            ("a<style>p{color:red}</style>b<!-- c -->d", "a bd"),
            ("<iframe src=x>fallback</iframe>z", "z"),
            (
                "Kündigung &Uuml;ber &#8222;KI&#8220;",
                "Kündigung Über „KI“",
            ),
            ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
            ("<img src=x onerror=alert(1)>Text", "Text"),
            ("cut off <a href=\"htt", "cut off"),
            ("  two \n\t lines\u{0}\u{1b}[31m ", "two lines [31m"),
            ("left\u{202e}thgir\u{200b}", "leftthgir"),
            ("👩\u{200d}💻 codes", "👩\u{200d}💻 codes"),
        ] {
            assert_eq!(html_text(html), text, "{html}");
        }
    }

    #[test]
    fn a_hundred_thousand_nested_elements_are_linear_work() {
        let deep = "<div>".repeat(100_000) + "core" + &"</div>".repeat(100_000);
        assert_eq!(html_text(&deep), "core");
    }

    #[test]
    fn shortening_cuts_between_words() {
        assert_eq!(shorten("eins zwei drei".into(), 11), "eins zwei");
        assert_eq!(shorten("Donaudampfschifffahrt".into(), 5), "Donau");
        assert_eq!(shorten("äöü".into(), 3), "äöü");
    }

    proptest! {
        #[test]
        fn cleaning_never_leaves_a_control_character(html in "\\PC*|(<[a-z/!]{0,5}|&[#a-z0-9;]{0,6}|[\\x00-\\x20]|[a-z]){0,40}") {
            let text = html_text(&html);
            prop_assert!(!text.chars().any(|c| c.is_control() || is_unwanted(c)));
            prop_assert_eq!(plain_text(&text), text);
        }
    }
}
