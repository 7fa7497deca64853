//! `tidings templates`: the templates of mails as files, to be changed.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::render::TEMPLATES;

/// Arguments of `tidings templates`.
#[derive(Debug, Args)]
#[command(after_help = "\
Keep only those that you change: for all others, the ones that come with Tidings are used, and get better with it.
Then name the folder in the configuration:

  [theme]
  templates = \"FOLDER\"

`tidings preview --serve` shows each change as you save it, and `tidings check` says what is wrong.")]
pub(super) struct Templates {
    /// The folder to write to; files that are there already stay as they are
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,

    /// Only these, such as _style.html
    #[arg(value_name = "NAME", value_parser = TEMPLATES.map(|(name, _)| name))]
    names: Vec<String>,
}

impl Templates {
    pub(super) fn run(self) -> anyhow::Result<u8> {
        std::fs::create_dir_all(&self.folder)
            .with_context(|| format!("creating the folder {}", self.folder.display()))?;
        for (name, source) in TEMPLATES {
            if !self.names.is_empty() && !self.names.iter().any(|wanted| wanted == name) {
                continue;
            }
            let path = self.folder.join(name);
            let writing = || format!("writing {}", path.display());
            let file = OpenOptions::new().write(true).create_new(true).open(&path);
            match file {
                Ok(mut file) => {
                    file.write_all(source.as_bytes()).with_context(writing)?;
                    say!("{}", path.display());
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    tell!("{} is there already, and stays as it is.", path.display());
                }
                Err(error) => return Err(error).with_context(writing),
            }
        }
        Ok(super::DONE)
    }
}
