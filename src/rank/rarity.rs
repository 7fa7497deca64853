//! How rare a word is in its language at large.

use std::sync::LazyLock;

use fst::Map;

use super::language::Tongue;

/// Below this the lists end: an unknown word is taken for half as common, which makes it as telling as a word can be.
const UNKNOWN: u64 = 630;

/// The frequency of the most common words, “the” or “und”, and ten to the power of five below it, in the unit of the lists.
const MOST_COMMON: f64 = 130.0;
const RANGE: f64 = 500.0;

/// What a word says for being a number: one or two digits hardly more than a filler, a year little more.
const SMALL_NUMBER: f32 = 0.5;
const YEAR: f32 = 0.5;
const NUMBER: f32 = 0.9;

/// What a group of letters says, of a language without a list.
pub(super) const GROUP: f32 = 0.6;

type List = Map<&'static [u8]>;

/// In the order of [`Tongue::ALL`]. A list is read where it lies in the program, so none costs anything before it is used.
static LISTS: LazyLock<[List; Tongue::ALL.len()]> = LazyLock::new(|| {
    macro_rules! list {
        ($file:literal) => {
            Map::new(&include_bytes!(concat!("frequencies/", $file, ".fst"))[..])
                .expect("the lists are made by the word_frequencies example")
        };
    }
    [
        list!("da"),
        list!("de"),
        list!("en"),
        list!("es"),
        list!("fi"),
        list!("fr"),
        list!("it"),
        list!("nl"),
        list!("no"),
        list!("pl"),
        list!("pt"),
        list!("sv"),
    ]
});

/// How rare a word is: 0 for one that every text has, 1 for one that no list has.
pub(super) fn rarity(stem: &str, tongue: Tongue) -> f32 {
    if stem.bytes().all(|byte| byte.is_ascii_digit()) {
        return match stem.len() {
            0..=2 => SMALL_NUMBER,
            4 if stem.starts_with("19") || stem.starts_with("20") => YEAR,
            _ => NUMBER,
        };
    }
    let centibels = LISTS[tongue as usize].get(stem).unwrap_or(UNKNOWN);
    (((centibels as f64 - MOST_COMMON) / RANGE).clamp(0.0, 1.0)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_knows_the_most_common_word_of_its_language() {
        for (tongue, word) in [
            (Tongue::Da, "og"),
            (Tongue::De, "und"),
            (Tongue::En, "the"),
            (Tongue::Es, "de"),
            (Tongue::Fi, "ja"),
            (Tongue::Fr, "de"),
            (Tongue::It, "di"),
            (Tongue::Nl, "de"),
            (Tongue::No, "og"),
            (Tongue::Pl, "w"),
            (Tongue::Pt, "de"),
            (Tongue::Sv, "och"),
        ] {
            assert!(
                rarity(word, tongue) < 0.1,
                "{word}: {}",
                rarity(word, tongue)
            );
        }
    }

    #[test]
    fn a_rarer_word_says_more() {
        let german = |word| rarity(word, Tongue::De);
        assert!(german("jahr") < german("polizei") && german("polizei") < german("rechenzentr"));
        assert!(german("rechenzentr") <= german("kestrelwerk"));
        assert!(german("7") <= german("2026") && german("2026") < german("41873"));
    }
}
