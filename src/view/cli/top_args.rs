//! The arguments of `stockrelay top`.

use clap::Args;

use crate::config::Language;

#[derive(Debug, Args)]
pub struct TopArgs {
    /// Refuse decisions about documents and readings
    #[arg(long)]
    pub read_only: bool,
    /// Language of the screen: en, de, fr, nl, es or ar [default: that of the locale]
    #[arg(long, value_name = "TAG", value_parser = language)]
    pub language: Option<Language>,
}

fn language(tag: &str) -> Result<Language, String> {
    Language::of(tag).ok_or_else(|| "use en, de, fr, nl, es or ar".to_owned())
}
