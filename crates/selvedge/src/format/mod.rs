//! The formats of `selvedge check`, one file each.
//!
//! A format is a function from the checked rows to text. A new one is a file here, a line in each
//! of the three places below, and a test in tests.rs.

mod github;
mod index;
mod json;
mod junit;
mod ktap;
mod markdown;
#[cfg(test)]
mod read_by_others;
mod row;
mod sarif;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use selvedge_proofs::Row;

pub use index::{Beside, Kills, head, index};
pub use json::{SCHEMA as REPORT_SCHEMA, row_json};
pub use row::{Totals, evidence};

use crate::shard::Part;

/// What there is to say of the rows besides what they are.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// They are a part of a check.
    pub part: Option<Part>,
    /// The names of those that were taken from a cache, if there was one.
    pub cached: Option<BTreeSet<String>>,
}

impl About {
    /// A sentence for each, for a reader.
    fn sentences(&self, rows: &[Row]) -> Vec<String> {
        let mut said = Vec::new();
        if let Some(cached) = &self.cached {
            let (cached, of) = (cached.len(), row::counted(rows.len() as u64, "row"));
            said.push(format!(
                "{cached} of {of} from the cache: nothing that they depend on has changed."
            ));
        }
        if let Some(Part { shard, rows_of_all, .. }) = &self.part {
            said.push(format!(
                "Shard {shard}: {} of the {rows_of_all} of the check; `selvedge merge` puts the \
                 reports of all together.",
                row::counted(rows.len() as u64, "row")
            ));
        }
        said
    }
}

/// How `selvedge check` prints.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CheckFormat {
    /// For reading.
    #[default]
    Text,
    /// One object: schema `selvedge-report/1`.
    Json,
    /// JUnit XML: a suite for each subsystem.
    Junit,
    /// KTAP 1, as KernelCI reads it: trees that are expected to be broken are XFAIL.
    Ktap,
    /// SARIF 2.1.0: a thread flow for each task.
    Sarif,
    /// GitHub annotations; the Markdown goes to the step's summary.
    Github,
    /// Markdown, for a mail or a job's summary.
    Markdown,
}

impl CheckFormat {
    /// The rows in this format.
    pub fn render(self, rows: &[Row]) -> String {
        self.render_about(rows, &About::default())
    }

    /// The rows in this format, as far as it has a place for it with what there is to say of them.
    pub fn render_about(self, rows: &[Row], about: &About) -> String {
        match self {
            CheckFormat::Text => text::text(rows, about),
            CheckFormat::Json => json::json(rows, about),
            CheckFormat::Junit => junit::junit(rows),
            CheckFormat::Ktap => ktap::ktap(rows),
            CheckFormat::Sarif => sarif::sarif(rows),
            CheckFormat::Github => github::annotations(rows),
            CheckFormat::Markdown => markdown::markdown(rows, about, None),
        }
    }
}

/// The Markdown, in at most so many bytes, for a step's summary on GitHub.
pub fn step_summary(rows: &[Row], about: &About, already: usize) -> String {
    markdown::markdown(rows, about, Some(github::SUMMARY_BYTES_MAX.saturating_sub(already)))
}

/// `--report FORMAT=FILE`
#[derive(Clone, Debug)]
pub struct Report {
    /// How.
    pub format: CheckFormat,
    /// Where to.
    pub file: PathBuf,
}

impl FromStr for Report {
    type Err = String;

    fn from_str(text: &str) -> Result<Report, String> {
        let (format, file) =
            text.split_once('=').ok_or("expected FORMAT=FILE, as junit=out.xml")?;
        let known = || {
            let variants = CheckFormat::value_variants().iter();
            let names = variants.filter_map(ValueEnum::to_possible_value);
            names.map(|name| name.get_name().to_string()).collect::<Vec<_>>().join(", ")
        };
        let format = CheckFormat::from_str(format, false)
            .map_err(|_| format!("`{format}` is no format: expected one of {}", known()))?;
        if file.is_empty() {
            return Err("expected a file after `=`".into());
        }
        Ok(Report { format, file: file.into() })
    }
}
