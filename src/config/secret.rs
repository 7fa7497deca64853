//! Secrets: they come from a file or the environment, and never reach a log.

use std::fmt;
use std::path::Path;

use anyhow::Context as _;

/// A text that `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Whether the environment gives the secret called `name`.
pub(super) fn is_secret_given(name: &str) -> bool {
    std::env::var_os(name).is_some() || std::env::var_os(format!("{name}_FILE")).is_some()
}

/// The secret called `name`: from the environment variable `name`, else from the file that the variable
/// `name` + `_FILE` points to (systemd credentials, container secrets), else from `file`.
///
/// # Errors
/// When a file that should hold it cannot be read, or nothing gives it.
pub fn secret(name: &str, file: Option<&Path>) -> anyhow::Result<Secret> {
    if let Ok(value) = std::env::var(name) {
        return Ok(Secret(value));
    }
    let from_environment = std::env::var_os(format!("{name}_FILE"));
    let path = from_environment.as_ref().map(Path::new).or(file);
    let path = path.with_context(|| {
        format!(
            "there is no secret: set {name} or {name}_FILE, or name a file in the configuration"
        )
    })?;
    secret_in(path)
}

/// The secret in that file.
///
/// # Errors
/// When it cannot be read.
pub fn secret_in(path: &Path) -> anyhow::Result<Secret> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("reading the secret in {}", path.display()))?;
    Ok(Secret(text.trim_end_matches(['\r', '\n']).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_hides_the_secret() {
        assert_eq!(format!("{:?}", Secret("hunter2".into())), "Secret(…)");
    }

    #[test]
    fn a_secret_file_may_end_in_a_newline() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hunter2\n").unwrap();
        assert_eq!(
            secret("TIDINGS_TEST_UNSET", Some(file.path()))
                .unwrap()
                .expose(),
            "hunter2"
        );
    }
}
