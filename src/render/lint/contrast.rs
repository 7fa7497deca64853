//! Whether each text can be read on what is behind it, by day and by night.

use std::collections::HashMap;

use dom_query::{Document, NodeRef};

use super::super::{Color, Palette};

/// Texts below this size are no texts but the line that only a list of mails shows.
const HIDDEN: &str = "font-size:2px";

/// The texts whose contrast is too low (WCAG 2.2, success criterion 1.4.3), each once.
pub(super) fn unreadable(page: &Document) -> Vec<String> {
    let Some(body) = page.body() else {
        return Vec::new();
    };
    let night = night_rules(page);
    let mut problems = Vec::new();
    let white = Color::new(0xff, 0xff, 0xff);
    let black = Color::new(0, 0, 0);
    let day = Colors {
        text: black,
        paper: white,
    };
    walk(&body, day, &HashMap::new(), "", &mut problems);
    if !night.is_empty() {
        let dark = Colors {
            text: white,
            paper: black,
        };
        walk(&body, dark, &night, " by night", &mut problems);
    }
    problems.dedup();
    problems
}

#[derive(Clone, Copy)]
struct Colors {
    text: Color,
    paper: Color,
}

/// What a rule or an attribute sets.
#[derive(Clone, Copy, Default)]
struct Set {
    text: Option<Color>,
    paper: Option<Color>,
}

impl Set {
    /// Reads the declarations of a style.
    fn read(style: &str) -> Self {
        let mut set = Self::default();
        for declaration in style.split(';') {
            let Some((name, value)) = declaration.split_once(':') else {
                continue;
            };
            let value = value.trim().trim_end_matches("!important");
            let color = Color::parse(value).ok();
            match name.trim() {
                "color" => set.text = color.or(set.text),
                "background-color" | "background" => set.paper = color.or(set.paper),
                _ => {}
            }
        }
        set
    }
}

/// What each class sets in the dark.
fn night_rules(page: &Document) -> HashMap<String, Set> {
    let mut rules: HashMap<String, Set> = HashMap::new();
    for sheet in page.select("style").iter() {
        let text = sheet.text();
        let Some((_, night)) = text.split_once("prefers-color-scheme") else {
            continue;
        };
        // After the condition of the query come plain rules.
        let night = night.split_once('{').map_or("", |(_, rules)| rules);
        for rule in night.split('}') {
            let Some((selectors, style)) = rule.split_once('{') else {
                continue;
            };
            let set = Set::read(style);
            for selector in selectors.split(',') {
                if let Some(class) = selector.trim().strip_prefix('.') {
                    let known = rules.entry(class.to_owned()).or_default();
                    known.text = set.text.or(known.text);
                    known.paper = set.paper.or(known.paper);
                }
            }
        }
    }
    rules
}

fn walk(
    node: &NodeRef<'_>,
    mut colors: Colors,
    night: &HashMap<String, Set>,
    when: &str,
    problems: &mut Vec<String>,
) {
    if node.is_text() {
        let text = node.text();
        let text = text.trim();
        let contrast = colors.text.contrast(colors.paper);
        if !text.is_empty() && contrast < Palette::CONTRAST {
            let start: String = text.chars().take(30).collect();
            problems.push(format!("“{start}” has a contrast of {contrast:.1}{when}"));
        }
        return;
    }
    let style = node.attr_or("style", "");
    if style.contains(HIDDEN) {
        return;
    }
    let mut sets = vec![Set::read(&style)];
    let class = node.attr_or("class", "");
    sets.extend(
        class
            .split_whitespace()
            .filter_map(|class| night.get(class)),
    );
    for set in sets {
        colors.text = set.text.unwrap_or(colors.text);
        colors.paper = set.paper.unwrap_or(colors.paper);
    }
    for child in node.children() {
        walk(&child, colors, night, when, problems);
    }
}
