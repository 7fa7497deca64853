//! Dates: any text is one or none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings::collect::parse::parse_date;

fuzz_target!(|text: &str| {
    if let Some(date) = parse_date(text) {
        let again = parse_date(&date.to_rfc3339()).map(|again| again.timestamp());
        assert_eq!(again, Some(date.timestamp()));
    }
});
