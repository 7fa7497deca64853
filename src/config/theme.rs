//! The section about how mails look.

use std::path::{Path, PathBuf};

use super::read::Table;
use super::values::{url_pattern, web_url};
use crate::model::Language;
use crate::render::{Color, Images, Layout, Logo, Palette, Theme};

/// What the narrowest phone has beside the margins, in pixels.
const WIDEST: i64 = 280;

/// Reads the section, whose words are in `language`, and names the folder with the publisher's own templates.
pub(super) fn theme(
    mut table: Table<'_, '_>,
    language: Language,
    folder: &Path,
) -> (Theme, Option<PathBuf>) {
    let default = Theme::default();
    let light = palette(table.table("light"), Palette::LIGHT, None);
    let accent = Some(light.accent).filter(|accent| *accent != Palette::LIGHT.accent);
    let dark = palette(table.table("dark"), Palette::DARK, accent);
    let fonts = "Names with commas between them, the kind of font last: \"Georgia, Times New Roman, serif\".";
    let serif = table.parsed("serif", fonts, font_list);
    let sans = table.parsed("sans", fonts, font_list);
    let names = Layout::ALL.map(|(name, _)| format!("\"{name}\""));
    let layout = table.parsed(
        "layout",
        &format!("One of: {}.", names.join(", ")),
        |text| {
            let found = Layout::ALL.into_iter().find(|(name, _)| *name == text);
            found
                .map(|(_, layout)| layout)
                .ok_or_else(|| format!("“{text}” is not a layout"))
        },
    );
    let images = images(&mut table);
    let logo = logo(table.table("logo"));
    let markdown = "Markdown: paragraphs, *emphasis*, [links](https://…), lists.";
    let header = table.markdown("header", markdown).unwrap_or_default();
    let footer = table.markdown("footer", markdown).unwrap_or_default();
    let line = "A line with {{ headlines }}, {{ next }}, {{ title }}, {{ date }}, {{ counts }} or {{ stories }} in it.";
    let subject = table.text("subject", line);
    let preheader = table.text("preheader", line);
    let mut theme = default.with_texts(&header, &footer, language);
    theme.light = light;
    theme.dark = dark;
    theme.serif = serif.unwrap_or(theme.serif);
    theme.sans = sans.unwrap_or(theme.sans);
    theme.layout = layout.unwrap_or_default();
    theme.images = images;
    theme.logo = logo.into_iter().collect();
    let with_lines = theme
        .clone()
        .with_lines(subject.as_deref(), preheader.as_deref());
    let theme = with_lines.unwrap_or_else(|error| {
        let key = if error.name == "subject" {
            "subject"
        } else {
            "preheader"
        };
        if let Some(found) = table.get(key) {
            table.wrong(&found, format!("cannot be filled in: {}", error.what), line);
        }
        theme
    });
    let hint = "A folder with templates; `tidings templates FOLDER` writes ours into one.";
    let templates = table.text("templates", hint);
    table.done();
    (theme, templates.map(|name| folder.join(name)))
}

/// Whether stories have pictures, and by way of what.
fn images(table: &mut Table<'_, '_>) -> Images {
    let one_of = "One of: \"none\", \"linked\", \"proxied\".";
    let chosen = table.parsed("images", one_of, |text| match text {
        "none" => Ok(Images::None),
        "linked" => Ok(Images::Linked),
        "proxied" => Ok(Images::Proxied(String::new())),
        _ => Err(format!("“{text}” is not a way to show pictures")),
    });
    let pattern = "An address with {url} in it, and {width} and {height} if it wants them: \"https://img.example.org/{width}x{height}?url={url}\".";
    let proxy = table.parsed("image_proxy", pattern, |text| {
        if !text.contains("{url}") {
            return Err(format!("“{text}” is the same for every picture"));
        }
        let (url, pattern) = url_pattern(text, &["{url}", "{width}", "{height}"])?;
        https_url(url.as_str())?;
        Ok(pattern)
    });
    match (chosen, proxy) {
        (Some(Images::Proxied(_)), Some(proxy)) => Images::Proxied(proxy),
        (Some(Images::Proxied(_)), None) => {
            if table.get("image_proxy").is_none() {
                table.missing("image_proxy", pattern);
            }
            Images::None
        }
        (images, _) => images.unwrap_or_default(),
    }
}

/// Colours over `default`, whose accent is made of `accent` where there is one. Text that cannot be read on its paper is a
/// problem.
fn palette(mut table: Table<'_, '_>, default: Palette, accent: Option<Color>) -> Palette {
    let mut color = |key, otherwise| {
        let hint = "Write it as red, green and blue: \"#9a3412\".";
        table.parsed(key, hint, Color::parse).unwrap_or(otherwise)
    };
    let paper = color("paper", default.paper);
    let default = accent.map_or(default, |accent| {
        Palette { paper, ..default }.with_accent_of(accent)
    });
    let palette = Palette {
        paper,
        ink: color("ink", default.ink),
        text: color("text", default.text),
        grey: color("grey", default.grey),
        line: color("line", default.line),
        accent: color("accent", default.accent),
    };
    for (key, contrast) in palette.unreadable() {
        let Some(found) = table.get(key).or_else(|| table.get("paper")) else {
            continue;
        };
        let what = format!(
            "is too hard to read: {key} on paper has a contrast of {contrast:.1}, and needs {}",
            Palette::CONTRAST
        );
        table.wrong(&found, what, "Make the one darker or the other lighter.");
    }
    table.done();
    palette
}

fn logo(mut table: Table<'_, '_>) -> Option<Logo> {
    if !table.exists() {
        table.done();
        return None;
    }
    let address = "The address of a picture: url = \"https://example.org/logo.png\".";
    let url = table.required("url", address, https_url);
    let size = |table: &mut Table<'_, '_>, key: &'static str| {
        if table.get(key).is_none() {
            table.missing(
                key,
                "In pixels, 280 at most, as phones have no more; half of what the picture has, so that it is sharp.",
            );
        }
        let size = table.number(key, 1..WIDEST + 1)?;
        u32::try_from(size).ok()
    };
    let (width, height) = (size(&mut table, "width"), size(&mut table, "height"));
    table.done();
    Some(Logo {
        url: url?,
        width: width?,
        height: height?,
    })
}

/// Where a picture is.
fn https_url(text: &str) -> Result<String, String> {
    let url = web_url(text)?;
    if url.scheme() == "https" {
        Ok(url.to_string())
    } else {
        Err("mail programs load pictures by https only".to_owned())
    }
}

/// A list of fonts as CSS has it. What is no name of a font cannot get into a style sheet.
fn font_list(text: &str) -> Result<String, String> {
    let mut fonts = Vec::new();
    for name in text.split(',') {
        let name = name.trim().trim_matches(['\'', '"']);
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == ' ' || c == '-';
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(format!("“{text}” is not a list of fonts"));
        }
        fonts.push(if name.contains(' ') {
            format!("'{name}'")
        } else {
            name.to_owned()
        });
    }
    Ok(fonts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_fonts_is_names_and_nothing_else() {
        assert_eq!(
            font_list("Charter, \"Times New Roman\", serif").as_deref(),
            Ok("Charter,'Times New Roman',serif")
        );
        for wrong in ["", "a,", "x; color: red", "x</style>", "url(x)"] {
            assert!(font_list(wrong).is_err(), "{wrong}");
        }
    }
}
