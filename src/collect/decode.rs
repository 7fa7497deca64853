//! Bytes of any character set become UTF-8.

/// Decodes to UTF-8: byte-order mark, then the HTTP header's charset, then the XML declaration's, then
/// UTF-8 where it is valid, else windows-1252, which the rest of the web uses. feed-rs panics on UTF-16
/// and trusts the declaration, so the declaration is taken away after it has had its say.
pub(super) fn decode(bytes: &[u8], charset: Option<&str>) -> String {
    let declared = charset
        .and_then(|label| encoding_rs::Encoding::for_label(label.as_bytes()))
        .or_else(|| declared_encoding(bytes));
    let text = match (encoding_rs::Encoding::for_bom(bytes), declared) {
        (None, None) => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => encoding_rs::WINDOWS_1252.decode(bytes).0.into_owned(),
        },
        (None, Some(encoding))
            if encoding == encoding_rs::UTF_8 && std::str::from_utf8(bytes).is_err() =>
        {
            encoding_rs::WINDOWS_1252.decode(bytes).0.into_owned()
        }
        (_, declared) => declared
            .unwrap_or(encoding_rs::UTF_8)
            .decode(bytes)
            .0
            .into_owned(),
    };
    without_declarations(text.trim_start())
}

/// Takes away every XML declaration, also one that stands where none may: feed-rs believes it, and panics.
fn without_declarations(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<?xml ") {
        kept.push_str(before);
        rest = after.split_once("?>").map_or("", |(_, rest)| rest);
    }
    kept.push_str(rest);
    kept.trim_start().to_owned()
}

fn declared_encoding(bytes: &[u8]) -> Option<&'static encoding_rs::Encoding> {
    let head = String::from_utf8_lossy(bytes.get(..200.min(bytes.len()))?).into_owned();
    let declaration = head
        .trim_start()
        .strip_prefix("<?xml")?
        .split_once("?>")?
        .0
        .to_owned();
    let value = declaration
        .split_once("encoding")?
        .1
        .trim_start()
        .strip_prefix('=')?
        .trim_start()
        .to_owned();
    let label = value
        .strip_prefix(['"', '\''])?
        .split(['"', '\''])
        .next()?
        .to_owned();
    let encoding = encoding_rs::Encoding::for_label(label.as_bytes())?;
    // A declaration that can be read byte by byte is not UTF-16, whatever it says.
    let is_utf16 = encoding == encoding_rs::UTF_16LE || encoding == encoding_rs::UTF_16BE;
    Some(if is_utf16 {
        encoding_rs::UTF_8
    } else {
        encoding
    })
}
