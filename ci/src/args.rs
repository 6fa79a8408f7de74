//! The gate's command line.

use std::path::{Path, PathBuf};

/// How it is called.
pub const USAGE: &str = "usage: gate [--artefacts DIR] [--max-time SECONDS] [--step STEP]...
  --artefacts DIR     made anew, for what a CI keeps; target/gate if not given
  --max-time SECONDS  what `check` has not decided by then is undecided, which fails
  --step STEP         only this step; if not given all but `c`, the scenarios on the kernel's own C,
                      and `package`, whether each crate can be published";

/// What it was told.
#[derive(Debug, PartialEq, Eq)]
pub struct Args {
    /// Where the reports go.
    pub artefacts: PathBuf,
    /// Passed on to `selvedge check`.
    pub max_time: Option<String>,
    /// The steps to run; all, if none is named.
    pub steps: Vec<String>,
}

impl Args {
    /// Reads them; these are the steps that there are.
    pub fn parse(mut words: impl Iterator<Item = String>, steps: &[&str]) -> Result<Args, String> {
        let mut args = Args { artefacts: "target/gate".into(), max_time: None, steps: Vec::new() };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("`{word}` wants a value"));
            match word.as_str() {
                "--artefacts" => args.artefacts = fresh(value()?.into())?,
                "--max-time" => {
                    let seconds = value()?;
                    seconds.parse::<u64>().map_err(|_| format!("`{seconds}` is no number"))?;
                    args.max_time = Some(seconds);
                }
                "--step" => {
                    let step = value()?;
                    if !steps.contains(&step.as_str()) {
                        return Err(format!("no step `{step}`: there are {}", steps.join(", ")));
                    }
                    args.steps.push(step);
                }
                _ => return Err(format!("unknown argument `{word}`")),
            }
        }
        Ok(args)
    }
}

/// The directory is emptied: it has to be new, or one that the gate has made.
fn fresh(dir: PathBuf) -> Result<PathBuf, String> {
    let is_ours = |dir: &Path| dir.join("index.md").is_file();
    let is_empty = |dir: &Path| dir.read_dir().is_ok_and(|mut entries| entries.next().is_none());
    if !dir.exists() || is_ours(&dir) || is_empty(&dir) {
        return Ok(dir);
    }
    Err(format!("{} is not empty, and not a directory of the gate", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Args, String> {
        Args::parse(words.iter().map(ToString::to_string), &["build", "check"])
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let args = parse(&["--max-time", "60", "--step", "check"]).expect("known");
        let expected = Args {
            artefacts: "target/gate".into(),
            max_time: Some("60".into()),
            steps: vec!["check".into()],
        };
        assert_eq!(args, expected);
        assert!(parse(&["--step", "deploy"]).is_err_and(|why| why.contains("build, check")));
        assert!(parse(&["--max-time", "soon"]).is_err_and(|why| why.contains("no number")));
        assert!(parse(&["--artefacts"]).is_err_and(|why| why.contains("wants a value")));
        assert!(parse(&["--artefacts", "src"]).is_err_and(|why| why.contains("not empty")));
        assert!(parse(&["fast"]).is_err_and(|why| why.contains("unknown argument")));
    }
}
