//! Colours of a theme, and whether people can read one on another.

use std::fmt;

use serde::{Serialize, Serializer};

/// A colour, as red, green and blue. Mail clients understand it in the form `#rrggbb` only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Color([u8; 3]);

impl Color {
    /// The colour of red, green and blue.
    pub const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self([red, green, blue])
    }

    /// Reads `#rrggbb` or `#rgb`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("“{text}” is not a colour");
        let digits = text.trim().strip_prefix('#').ok_or_else(wrong)?;
        let full: String = match digits.len() {
            3 => digits.chars().flat_map(|digit| [digit, digit]).collect(),
            _ => digits.to_owned(),
        };
        if full.len() != 6 || !full.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let number = u32::from_str_radix(&full, 16).map_err(|_| wrong())?;
        let [_, red, green, blue] = number.to_be_bytes();
        Ok(Self([red, green, blue]))
    }

    /// The contrast ratio of two colours, from 1 to 21 (WCAG 2.2, “contrast ratio”).
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// WCAG 2.2, “relative luminance”.
    fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let channel = f64::from(channel) / 255.0;
            if channel <= 0.04045 {
                channel / 12.92
            } else {
                ((channel + 0.055) / 1.055).powf(2.4)
            }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// This colour, mixed with white just as much as it takes to be read on `paper`.
    pub(super) fn lightened_for(self, paper: Self) -> Self {
        (0..=20)
            .map(|step| {
                let mixed = |channel: u8| channel + ((255 - channel) as u32 * step / 20) as u8;
                Self(self.0.map(mixed))
            })
            .find(|color| color.contrast(paper) >= LIGHTENED)
            .unwrap_or(Self([255; 3]))
    }
}

/// A little more than what must be: letters that glow look thinner.
const LIGHTENED: f64 = 6.0;

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl Serialize for Color {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_read_and_written_as_css_has_it() {
        for (text, read) in [
            ("#9a3412", Some("#9a3412")),
            (" #FFF ", Some("#ffffff")),
            ("9a3412", None),
            ("#9a34", None),
            ("#9a341g", None),
            ("#+a3412", None),
            ("red", None),
            ("#ää", None),
        ] {
            let color = Color::parse(text).ok().map(|color| color.to_string());
            assert_eq!(color.as_deref(), read, "{text}");
        }
    }

    #[test]
    fn contrast_is_what_wcag_says() {
        let color = |text| Color::parse(text).unwrap();
        let white = color("#fff");
        for (other, ratio) in [("#fff", 1.0), ("#000", 21.0), ("#767676", 4.54)] {
            let found = white.contrast(color(other));
            assert!((found - ratio).abs() < 0.01, "{other}: {found}");
        }
    }

    #[test]
    fn a_dark_accent_is_lightened_until_it_can_be_read() {
        let paper = Color::parse("#1b1a18").unwrap();
        for accent in ["#1d4e89", "#000000", "#9a3412", "#ffffff"] {
            let lightened = Color::parse(accent).unwrap().lightened_for(paper);
            assert!(
                lightened.contrast(paper) >= LIGHTENED,
                "{accent} {lightened}"
            );
        }
    }
}
