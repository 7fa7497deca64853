//! The folder with a publisher's own templates. It is read by those commands only that make mails: whoever wants to leave must
//! not wait for a template.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Config, ConfigError, Problem};
use crate::render::{TemplateError, template_problems};

impl Config {
    /// This configuration with the templates that it names, each of which has been tried.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn with_templates(mut self) -> Result<Self, ConfigError> {
        let Some(folder) = &self.templates else {
            return Ok(self);
        };
        let failed = |problems| ConfigError {
            path: folder.clone(),
            problems,
        };
        let told = |errors: Vec<TemplateError>| {
            let problem = |error: TemplateError| Problem {
                file: Some(folder.join(&error.name)),
                line: error.line,
                column: error.column,
                what: error.what,
                ..Problem::default()
            };
            failed(errors.into_iter().map(problem).collect())
        };
        let sources = sources(folder).map_err(failed)?;
        let theme = self.theme.with_templates(&sources).map_err(told)?;
        let problems = template_problems(&self.newsletter, &theme);
        if !problems.is_empty() {
            return Err(told(problems));
        }
        self.theme = theme;
        Ok(self)
    }
}

/// The templates of a folder, by name. What editors and systems leave beside them begins with a dot.
fn sources(folder: &Path) -> Result<BTreeMap<String, String>, Vec<Problem>> {
    let problem = |file: &Path, error: std::io::Error, hint: &str| Problem {
        file: Some(file.to_owned()),
        what: format!("cannot be read: {error}"),
        hint: hint.to_owned(),
        ..Problem::default()
    };
    let missing = "`theme.templates` names it; `tidings templates FOLDER` makes one.";
    let entries =
        std::fs::read_dir(folder).map_err(|error| vec![problem(folder, error, missing)])?;
    let (mut sources, mut problems) = (BTreeMap::new(), Vec::new());
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str());
        let extension = path.extension().and_then(|extension| extension.to_str());
        let (Some(name), Some("html" | "txt")) = (name, extension) else {
            continue;
        };
        if name.starts_with('.') {
            continue;
        }
        match std::fs::read_to_string(&path) {
            Ok(source) => {
                // As some editors write it: neither belongs into a mail.
                let source = source.trim_start_matches('\u{feff}').replace("\r\n", "\n");
                sources.insert(name.to_owned(), source);
            }
            Err(error) => problems.push(problem(&path, error, "A template is text in UTF-8.")),
        }
    }
    if problems.is_empty() {
        Ok(sources)
    } else {
        Err(problems)
    }
}
