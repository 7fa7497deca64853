//! How mails look: what a publisher can change without touching a template.

use std::collections::BTreeMap;

use serde::Serialize;

use super::color::Color;
use super::markdown::{Passage, passage};
use super::subject::Lines;
use super::templates::{OwnTemplates, TemplateError};
use crate::model::Language;

/// The look of a newsletter, and the words that the publisher puts around the stories.
#[derive(Debug, Clone, Serialize)]
pub struct Theme {
    /// The colours by day.
    pub light: Palette,
    /// The colours where a reader has asked for dark ones and the mail client tells.
    pub dark: Palette,
    /// The fonts of the masthead, as CSS has them.
    pub serif: String,
    /// The fonts of everything else.
    pub sans: String,
    /// A picture in place of the title; one or none.
    pub logo: Vec<Logo>,
    /// How much of each story is shown.
    #[serde(skip)]
    pub layout: Layout,
    /// Whether stories are shown with pictures.
    #[serde(skip)]
    pub images: Images,
    /// A text under the masthead.
    #[serde(skip)]
    pub(super) header: Passage,
    /// A text above the reasons and the imprint.
    #[serde(skip)]
    pub(super) footer: Passage,
    /// Subject and preheader.
    #[serde(skip)]
    pub(super) lines: Lines,
    /// Templates in place of ours.
    #[serde(skip)]
    pub(super) own: Option<OwnTemplates>,
}

/// The colours of a mail. All but `line` must be readable on `paper`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Palette {
    /// What everything stands on. Not quite white and not quite black: clients that invert colours by force make
    /// the opposite of it.
    pub paper: Color,
    /// The title, headlines and strong lines.
    pub ink: Color,
    /// Running text.
    pub text: Color,
    /// Sources, times and small print.
    pub grey: Color,
    /// Hairlines.
    pub line: Color,
    /// Links and the names of sections.
    pub accent: Color,
}

/// A picture of the publication's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Logo {
    /// Where it is: `https`.
    pub url: String,
    /// In CSS pixels.
    pub width: u32,
    /// In CSS pixels.
    pub height: u32,
}

/// How much of each story is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Layout {
    /// Headline, summary and sources.
    #[default]
    Full,
    /// Headline and sources.
    Compact,
}

impl Layout {
    /// All of them with their names in the configuration.
    pub const ALL: [(&'static str, Self); 2] = [("full", Self::Full), ("compact", Self::Compact)];
}

/// Whether stories are shown with pictures, which whoever serves them can count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Images {
    /// No.
    #[default]
    None,
    /// With those of the publishers, from where these have them.
    Linked,
    /// With those of the publishers, by way of a server that this pattern of an address names: `{url}` stands for the
    /// picture's own address, percent-encoded, `{width}` and `{height}` for the pixels that are wanted.
    Proxied(String),
}

impl Palette {
    /// Black on a warm near-white; links the red of a seal.
    pub const LIGHT: Self = Self {
        paper: Color::new(0xfb, 0xf9, 0xf5),
        ink: Color::new(0x1c, 0x1b, 0x19),
        text: Color::new(0x33, 0x31, 0x2d),
        grey: Color::new(0x66, 0x61, 0x58),
        line: Color::new(0xdc, 0xd6, 0xca),
        accent: Color::new(0x9a, 0x34, 0x12),
    };

    /// The same by night.
    pub const DARK: Self = Self {
        paper: Color::new(0x1b, 0x1a, 0x18),
        ink: Color::new(0xf0, 0xed, 0xe6),
        text: Color::new(0xd8, 0xd4, 0xcb),
        grey: Color::new(0xae, 0xa8, 0x9c),
        line: Color::new(0x45, 0x41, 0x3a),
        accent: Color::new(0xf0, 0x93, 0x6f),
    };

    /// How readable text must be at least (WCAG 2.2, success criterion 1.4.3).
    pub const CONTRAST: f64 = 4.5;

    /// The colours for text that cannot be read on `paper`, each with its contrast.
    pub fn unreadable(&self) -> Vec<(&'static str, f64)> {
        let colors = [
            ("ink", self.ink),
            ("text", self.text),
            ("grey", self.grey),
            ("accent", self.accent),
        ];
        let contrasts = colors.map(|(name, color)| (name, color.contrast(self.paper)));
        contrasts
            .into_iter()
            .filter(|(_, contrast)| *contrast < Self::CONTRAST)
            .collect()
    }

    /// This palette with an accent for the dark made of one for the light.
    pub fn with_accent_of(self, light: Color) -> Self {
        Self {
            accent: light.lightened_for(self.paper),
            ..self
        }
    }
}

impl Theme {
    /// Sets the texts around the stories, in Markdown, which are in `language`.
    #[must_use]
    pub fn with_texts(self, header: &str, footer: &str, language: Language) -> Self {
        Self {
            header: passage(header, language.tag()),
            footer: passage(footer, language.tag()),
            ..self
        }
    }

    /// The texts around the stories, in Markdown.
    pub fn own_words(&self) -> [&str; 2] {
        [&self.header.markdown, &self.footer.markdown]
    }

    /// Sets templates in place of ours, by name.
    ///
    /// # Errors
    /// All that cannot be read. Whether they can be filled in, [`template_problems`](super::template_problems) says.
    pub fn with_templates(
        self,
        own: &BTreeMap<String, String>,
    ) -> Result<Self, Vec<TemplateError>> {
        Ok(Self {
            own: Some(OwnTemplates::new(own)?),
            ..self
        })
    }

    /// Sets the templates of subject and preheader; what is not given follows the rule alone.
    ///
    /// # Errors
    /// When one of them cannot be filled in; the error names it as `subject` or `preheader`.
    pub fn with_lines(
        self,
        subject: Option<&str>,
        preheader: Option<&str>,
    ) -> Result<Self, TemplateError> {
        Ok(Self {
            lines: Lines::new(subject, preheader)?,
            ..self
        })
    }
}

impl Default for Theme {
    fn default() -> Self {
        Self {
            light: Palette::LIGHT,
            dark: Palette::DARK,
            serif: "Georgia,'Times New Roman',serif".to_owned(),
            sans: "-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif".to_owned(),
            logo: Vec::new(),
            layout: Layout::Full,
            images: Images::None,
            header: Passage::default(),
            footer: Passage::default(),
            lines: Lines::new(None, None).expect("the templates of ours are right"),
            own: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_colours_of_the_house_can_be_read() {
        for palette in [Palette::LIGHT, Palette::DARK] {
            assert_eq!(palette.unreadable(), []);
        }
        let pale = Palette {
            grey: Palette::LIGHT.line,
            ..Palette::LIGHT
        };
        assert_eq!(pale.unreadable().len(), 1);
    }
}
