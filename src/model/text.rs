//! Which characters a text from outside may have.

/// Whether a character has no business in a line of text: invisible, changing the order of what is around
/// it, private, or none at all. These are the zero-width space, bidirectional marks, overrides and isolates,
/// the byte-order mark, the soft hyphen, the replacement character, the private-use areas and the
/// non-characters. The joiners U+200C and U+200D may stay: emoji and several scripts need them.
///
/// Control characters are not meant here; they stand for white space (`char::is_control`).
pub fn is_unwanted(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffd}' | '\u{fdd0}'..='\u{fdef}' | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..)
        || (c as u32) & 0xfffe == 0xfffe
}
