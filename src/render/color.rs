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

    /// This colour, as much lighter as it takes to be read on `paper`. Hue and saturation stay: mixed with white, red would
    /// become pink.
    pub(super) fn lightened_for(self, paper: Self) -> Self {
        let (hue, saturation, lightness) = self.hsl();
        (0..=50)
            .map(|step| lightness + (1.0 - lightness) * f64::from(step) / 50.0)
            .map(|lightness| Self::from_hsl(hue, saturation, lightness))
            .find(|color| color.contrast(paper) >= LIGHTENED)
            .unwrap_or(Self([255; 3]))
    }

    /// Hue in sixths of a circle, saturation and lightness from 0 to 1 (CSS Color 4, section 7).
    fn hsl(self) -> (f64, f64, f64) {
        let [red, green, blue] = self.0.map(|channel| f64::from(channel) / 255.0);
        let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
        let (chroma, lightness) = (most - least, (most + least) / 2.0);
        if chroma == 0.0 {
            return (0.0, 0.0, lightness);
        }
        let hue = if most == red {
            (green - blue) / chroma
        } else if most == green {
            (blue - red) / chroma + 2.0
        } else {
            (red - green) / chroma + 4.0
        };
        let saturation = chroma / (1.0 - (2.0 * lightness - 1.0).abs());
        (hue.rem_euclid(6.0), saturation, lightness)
    }

    fn from_hsl(hue: f64, saturation: f64, lightness: f64) -> Self {
        let channel = |offset: f64| {
            let place = (offset + 2.0 * hue).rem_euclid(12.0);
            let swing = saturation * lightness.min(1.0 - lightness);
            let level = lightness - swing * (place - 3.0).min(9.0 - place).clamp(-1.0, 1.0);
            (255.0 * level).round() as u8
        };
        Self([channel(0.0), channel(8.0), channel(4.0)])
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
        for (accent, lightened) in [
            ("#8b0000", "#ff6b6b"),
            ("#006400", "#00b600"),
            ("#808080", "#999999"),
        ] {
            let found = Color::parse(accent).unwrap().lightened_for(paper);
            assert_eq!(found.to_string(), lightened);
        }
    }
}
