//! Feed bytes: whatever they are, they are read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings::collect::parse::parse;
use url::Url;

fuzz_target!(|bytes: &[u8]| {
    let base = Url::parse("https://example.org/feed.xml").ok();
    if let Ok(document) = parse(bytes, None, base.as_ref()) {
        for entry in document.entries {
            for html in [entry.title, entry.summary, entry.content]
                .into_iter()
                .flatten()
            {
                assert!(!html.text().chars().any(char::is_control));
                let _ = html.markup();
            }
        }
    }
});
