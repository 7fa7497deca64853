//! HTML: what was cleaned has nothing active in it, and cleaning it again changes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings::collect::Html;

fuzz_target!(|source: &str| {
    let once = Html::clean(source, None);
    let markup = once.markup();
    let lower = markup.to_lowercase();
    for active in [
        "<script",
        "<style",
        "<iframe",
        "<object",
        "<svg",
        "href=\"javascript:",
        "src=\"javascript:",
        "href=\"data:",
        "src=\"data:",
    ] {
        assert!(!lower.contains(active), "{markup}");
    }
    assert_eq!(Html::clean(&markup, None).markup(), markup);
});
