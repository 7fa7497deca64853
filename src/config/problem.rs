//! What is wrong with a configuration, said so that it can be mended.

use std::fmt;
use std::path::PathBuf;

/// One thing that is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problem {
    /// The file, where it is another one that the configuration names.
    pub file: Option<PathBuf>,
    /// The line, counted from 1; `None` when something is missing from the file as a whole.
    pub line: Option<usize>,
    /// The character of the line, counted from 1, when it is known.
    pub column: Option<usize>,
    /// The full name of the key, as in `newsletter.from`; empty for a syntax error.
    pub key: String,
    /// What is wrong, as a sentence without its full stop.
    pub what: String,
    /// What to do about it; may be empty.
    pub hint: String,
}

/// All that is wrong with one file.
#[derive(Debug, thiserror::Error)]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// In the order of the lines.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, count) = (self.path.display(), self.problems.len());
        writeln!(
            f,
            "{path} has {count} problem{}:",
            if count == 1 { "" } else { "s" }
        )?;
        for problem in &self.problems {
            let place = [
                problem.file.as_ref().map(|file| file.display().to_string()),
                problem.line.map(|line| format!("line {line}")),
                problem.column.map(|column| format!("column {column}")),
                Some(problem.key.clone()).filter(|key| !key.is_empty()),
            ];
            let place: Vec<String> = place.into_iter().flatten().collect();
            writeln!(f, "\n  {}: {}.", place.join(", "), problem.what)?;
            if !problem.hint.is_empty() {
                writeln!(f, "      {}", problem.hint)?;
            }
        }
        Ok(())
    }
}
