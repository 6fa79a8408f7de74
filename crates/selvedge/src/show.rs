//! `selvedge show`: a counterexample from its file.

use selvedge_trace::{from_json, refs, refs_dot, steps, table, to_json};

use crate::args::{ShowArgs, View};
use crate::error::Failure;
use crate::{Outcome, Status, output};

/// Reads the file and prints the view.
pub fn run(args: &ShowArgs) -> Outcome {
    let name = args.file.display().to_string();
    let bytes = output::read_file(&args.file)?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Failure::new(format!("{name}: not text, expected a counterexample (selvedge-trace/1)"))
    })?;
    let cx = from_json(&name, &text).map_err(|error| Failure::new(error.to_string()))?;
    let view = match args.view {
        View::Table => output::printable(&table(&cx)),
        View::Steps => output::printable(&steps(&cx)),
        View::Refs => output::printable(&refs(&cx)),
        View::RefsDot => output::printable(&refs_dot(&cx)),
        View::Json => to_json(&cx),
    };
    match &args.output {
        Some(path) => output::write_file(path, &view)?,
        None => output::print(&view)?,
    }
    Ok(Status::AsExpected)
}
