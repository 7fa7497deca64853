//! Bytes of any character set become UTF-8.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// Decodes to UTF-8. The first of these counts: the byte-order mark, the shape of a wide `<`, the `charset` of the HTTP
/// header, that of the XML declaration. What claims to be UTF-8, or nothing, and is nothing like UTF-8 is
/// windows-1252, as on the rest of the web.
pub(in crate::collect) fn decode<'b>(bytes: &'b [u8], charset: Option<&str>) -> Cow<'b, str> {
    if let Some(text) = utf32(bytes) {
        return Cow::Owned(text);
    }
    if let Some(encoding) = wide(bytes) {
        return encoding.decode(bytes).0;
    }
    let from_header = charset.and_then(|label| Encoding::for_label(label.trim().as_bytes()));
    // A document of which a `<` is one byte is not UTF-16, whatever it says.
    let is_narrow = |encoding: &&'static Encoding| *encoding != UTF_16LE && *encoding != UTF_16BE;
    let mut claims = [from_header, declared_encoding(bytes)]
        .into_iter()
        .flatten()
        .filter(is_narrow);
    match std::str::from_utf8(bytes) {
        // Nothing but UTF-8 looks like UTF-8 by chance, whatever it claims to be; and ASCII is all of them.
        Ok(text)
            if !text.is_ascii()
                || claims
                    .clone()
                    .all(encoding_rs::Encoding::is_ascii_compatible) =>
        {
            Cow::Borrowed(text)
        }
        Err(_)
            if claims.clone().next().is_none_or(|first| first == UTF_8)
                && is_mostly_utf8(bytes) =>
        {
            UTF_8.decode(bytes).0
        }
        _ => {
            claims
                .find(|claim| *claim != UTF_8)
                .unwrap_or(WINDOWS_1252)
                .decode(bytes)
                .0
        }
    }
}

/// Whether more characters than mistakes of UTF-8 are in `bytes`: a text that was cut or patched in the wrong place.
fn is_mostly_utf8(bytes: &[u8]) -> bool {
    let (mut characters, mut mistakes) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        characters += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        mistakes += usize::from(!chunk.invalid().is_empty());
    }
    characters > mistakes
}

/// UTF-16 by its byte-order mark or by how `<` and a Latin letter or `?` look in it; UTF-8 by its mark.
fn wide(bytes: &[u8]) -> Option<&'static Encoding> {
    let by_mark = Encoding::for_bom(bytes).map(|(encoding, _)| encoding);
    by_mark
        .filter(|encoding| *encoding != UTF_8 || std::str::from_utf8(bytes).is_ok())
        .or(match bytes {
            [b'<', 0, _, 0, ..] => Some(UTF_16LE),
            [0, b'<', 0, _, ..] => Some(UTF_16BE),
            _ => None,
        })
}

/// UTF-32, which browsers gave up and some feeds did not.
fn utf32(bytes: &[u8]) -> Option<String> {
    let read: fn([u8; 4]) -> u32 = match bytes {
        [0xff, 0xfe, 0, 0, ..] | [b'<', 0, 0, 0, ..] => u32::from_le_bytes,
        [0, 0, 0xfe, 0xff, ..] | [0, 0, 0, b'<', ..] => u32::from_be_bytes,
        _ => return None,
    };
    let units = bytes
        .chunks_exact(4)
        .map(|unit| read([unit[0], unit[1], unit[2], unit[3]]));
    Some(
        units
            .map(|unit| char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect(),
    )
}

/// The encoding that the XML declaration names.
fn declared_encoding(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]);
    let (_, declaration) = head.split_once("<?xml")?;
    let (declaration, _) = declaration.split_once("?>")?;
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let label = value.strip_prefix(['"', '\''])?.split(['"', '\'']).next()?;
    Encoding::for_label(label.trim().as_bytes())
}

/// The character set in a `Content-Type` header (RFC 9110 section 8.3.1).
pub fn charset_of(content_type: &str) -> Option<String> {
    let parameters = content_type.split(';').skip(1);
    let charset = parameters
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
    Some(charset.1.trim().trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_character_set_is_found_in_mark_shape_header_declaration_or_bytes() {
        let xml =
            |label: &str| format!("<?xml version=\"1.0\" encoding=\"{label}\"?><t>Müller</t>");
        let latin = |text: &str| WINDOWS_1252.encode(text).0.into_owned();
        let utf16: Vec<u8> = xml("utf-16")
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        let marked: Vec<u8> = "\u{feff}<t>Müller</t>"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let utf32: Vec<u8> = xml("utf-32")
            .chars()
            .flat_map(|c| u32::from(c).to_le_bytes())
            .collect();
        for (what, bytes, charset) in [
            ("header", latin("<t>Müller</t>"), Some("iso-8859-15")),
            ("declaration", latin(&xml("ISO-8859-1")), None),
            (
                "declaration against the header",
                latin(&xml("ISO-8859-1")),
                Some("utf-8"),
            ),
            ("nothing", latin("<t>Müller</t>"), None),
            ("nothing, but UTF-8", "<t>Müller</t>".into(), None),
            ("a wrong declaration", latin(&xml("utf-8")), None),
            ("an impossible declaration", xml("utf-16").into(), None),
            ("an unknown header", xml("utf-8").into(), Some("nonsense")),
            ("shape of UTF-16", utf16, Some("utf-8")),
            ("mark of UTF-16", marked, None),
            ("shape of UTF-32", utf32, None),
            (
                "one bad byte",
                [b"\xff".as_slice(), "Größe “ok”<t>Müller</t>".as_bytes()].concat(),
                None,
            ),
            (
                "UTF-8 that claims to be something else",
                xml("iso-8859-1").into(),
                None,
            ),
            (
                "mark of UTF-8",
                "\u{feff}<t>Müller</t>".into(),
                Some("iso-8859-1"),
            ),
        ] {
            assert!(decode(&bytes, charset).ends_with("<t>Müller</t>"), "{what}");
        }
    }

    #[test]
    fn the_character_set_is_read_from_a_content_type() {
        assert_eq!(
            charset_of("text/xml; Charset=\"ISO-8859-1\""),
            Some("ISO-8859-1".into())
        );
        assert_eq!(
            charset_of("text/xml; boundary=x; charset=utf-8"),
            Some("utf-8".into())
        );
        assert_eq!(charset_of("text/xml"), None);
    }
}
