//! Prints how the models compare with a kernel's own C.

use std::fmt::Write;

use selvedge_c::{Compared, Difference, FunctionCompared};

use crate::{Outcome, Status, output};

/// How wide a column of steps is.
const WIDTH: usize = 56;

/// The table, the differences, and what is to be read beside them.
pub fn print(compared: &Compared) -> Outcome {
    for remark in &compared.remarks {
        output::tell(&format!("note: {remark}"));
    }
    output::print(&render(compared))?;
    Ok(match compared {
        _ if compared.functions.is_empty() => Status::Undecided,
        _ if compared.differs() => Status::Unexpected,
        _ if compared.is_cut() => Status::Undecided,
        _ => Status::AsExpected,
    })
}

fn render(compared: &Compared) -> String {
    let Compared { version, tree, scenarios, functions, .. } = compared;
    let mut text = format!("the C of {version} beside the models of {tree}\n\n");
    // Writing to a string cannot fail; so below.
    let _ = writeln!(text, "| function | what it does is | calls told apart | scenarios |");
    let _ = writeln!(text, "|---|---|---|---|");
    for function in functions {
        let FunctionCompared { name, behaviours, scenarios, .. } = function;
        let _ = writeln!(
            text,
            "| `{name}` | {} | {behaviours} | {} |",
            verdict(function),
            scenarios.len()
        );
    }
    let _ = writeln!(text, "\n| scenario | executions: model, C | traces: model, C | in both |");
    let _ = writeln!(text, "|---|---|---|---|");
    for scenario in scenarios {
        let ([model, c], [of_model, of_c]) = (scenario.executions, scenario.traces);
        let cut = scenario.cut.as_ref().map(|cut| format!("; cut: {cut}")).unwrap_or_default();
        let (name, both) = (scenario.name, scenario.both);
        let _ = writeln!(text, "| `{name}` | {model}, {c} | {of_model}, {of_c} | {both}{cut} |");
    }
    for function in functions {
        if let Some(difference) = &function.difference {
            text.push_str(&side_by_side(function.name, difference));
        }
    }
    text.push_str(&declared(functions));
    text
}

fn verdict(function: &FunctionCompared) -> &'static str {
    match (&function.difference, function.left_out.is_empty()) {
        (Some(_), _) => "**different**",
        (None, true) => "identical",
        (None, false) => "identical up to declared omissions",
    }
}

fn side_by_side(name: &str, difference: &Difference) -> String {
    let Difference { scenario, only: [model, c], rows } = difference;
    let mut text = format!(
        "\n{name}() differs in {scenario}: {model} courses only in the model, {c} only in C\n\n"
    );
    let _ = writeln!(text, "  {:WIDTH$}  C", "model");
    for (of_model, of_c) in rows {
        let sign = if of_model == of_c { ' ' } else { '|' };
        let _ = writeln!(text, "  {of_model:WIDTH$}{sign} {of_c}");
    }
    text
}

/// The omissions that were needed, each once.
fn declared(functions: &[FunctionCompared]) -> String {
    let all: std::collections::BTreeSet<_> = functions.iter().flat_map(|f| &f.left_out).collect();
    let mut text = String::from("\nDeclared as left out, where it was needed:\n");
    for (file, words, why) in all {
        let _ = writeln!(text, "- {words}: {why} ({file})");
    }
    text
}
