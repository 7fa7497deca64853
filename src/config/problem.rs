//! What is wrong with a configuration, said so that it can be mended.

use std::fmt;
use std::path::PathBuf;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, counted from 1; `None` when something is missing from the file as a whole.
    pub line: Option<usize>,
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
            f.write_str("\n  ")?;
            if let Some(line) = problem.line {
                write!(f, "line {line}")?;
            }
            let comma = if problem.line.is_some() && !problem.key.is_empty() {
                ", "
            } else {
                ""
            };
            writeln!(f, "{comma}{}: {}.", problem.key, problem.what)?;
            if !problem.hint.is_empty() {
                writeln!(f, "      {}", problem.hint)?;
            }
        }
        Ok(())
    }
}
