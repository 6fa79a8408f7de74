//! Applies a hunk to the text of a file: at its line, or at the nearest place that has the same
//! lines. There is no fuzz: a context that is not there is no context.
//!
//! Archives of mails take the blanks at the beginning of lines away. Of such a hunk lines are the
//! same if they are but for blanks, and what it adds is not indented: C does not mind.

use selvedge_patch::{FileDiff, Form, Hunk, Line, Mark};

/// A hunk that does not apply: its number, from 1, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// Which hunk.
    pub hunk: usize,
    /// Why.
    pub why: String,
}

/// The text with all hunks of the file applied.
pub fn apply(text: &str, diff: &FileDiff) -> Result<String, Refused> {
    let mut lines: Vec<&str> = text.lines().collect();
    // How far hunks so far have moved what follows.
    let mut shift = 0_isize;
    for (number, hunk) in diff.hunks.iter().enumerate() {
        let refused = |why: String| Refused { hunk: number + 1, why };
        let nowhere = |first: &str| {
            refused(format!(
                "nowhere are there its lines, the first of which is `{}`",
                first.trim()
            ))
        };
        match hunk.form {
            Form::Whole => {}
            Form::Flattened => {
                let wanted = hunk.old_start.saturating_sub(1).saturating_add_signed(shift);
                let before = lines.len();
                lines = flattened(&lines, &hunk.lines, wanted).map_err(nowhere)?;
                shift += lines.len() as isize - before as isize;
                continue;
            }
            Form::HeaderOnly => {
                let why = "its line breaks were lost on its way here: what it changes is not known";
                return Err(refused(why.into()));
            }
        }
        let of = |marks: [Mark; 2]| {
            let kept = hunk.lines.iter().filter(move |line| marks.contains(&line.mark));
            kept.map(|line| line.text.as_str()).collect::<Vec<&str>>()
        };
        let (old, new) = (of([Mark::Kept, Mark::Removed]), of([Mark::Kept, Mark::Added]));
        let wanted = wanted(hunk, &old).saturating_add_signed(shift);
        let Some(at) = place(&lines, &old, wanted) else {
            return Err(nowhere(old.first().copied().unwrap_or_default()));
        };
        shift = at as isize - wanted as isize + shift + new.len() as isize - old.len() as isize;
        lines.splice(at..at + old.len(), new);
    }
    Ok(lines.iter().map(|line| format!("{line}\n")).collect())
}

/// The index of the line at which the hunk should begin. A hunk without old lines names the line
/// behind which it goes.
fn wanted(hunk: &Hunk, old: &[&str]) -> usize {
    if old.is_empty() { hunk.old_start } else { hunk.old_start.saturating_sub(1) }
}

/// The place nearest to the wanted one that has these lines. Without any lines only the wanted one
/// is.
fn place(lines: &[&str], old: &[&str], wanted: usize) -> Option<usize> {
    if old.is_empty() {
        return (wanted <= lines.len()).then_some(wanted);
    }
    let has = |at: &usize| lines.get(*at..*at + old.len()).is_some_and(|there| there == old);
    let places = (0..=lines.len().checked_sub(old.len())?).filter(has);
    places.min_by_key(|at| at.abs_diff(wanted))
}

/// The words of a line. Empty: nothing but blanks, and archives lose such lines, too.
fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// The lines with a hunk applied that has lost its indentation. Lines of the file stay as they are.
///
/// # Errors
/// If its lines are nowhere: the first of them.
fn flattened<'a>(
    lines: &[&'a str],
    hunk: &'a [Line],
    wanted: usize,
) -> Result<Vec<&'a str>, &'a str> {
    let is_old = |line: &&Line| line.mark != Mark::Added && !line.text.trim().is_empty();
    let first = hunk.iter().find(is_old).map(|line| line.text.as_str());
    let Some(first) = first else { return Err("") };
    let is_first = |at: &usize| words(lines[*at]) == words(first);
    let mut places: Vec<usize> = (0..lines.len()).filter(is_first).collect();
    places.sort_by_key(|at| at.abs_diff(wanted));
    places.into_iter().find_map(|at| flattened_at(lines, hunk, at)).ok_or(first)
}

/// The same, if the hunk's first old line is this one.
fn flattened_at<'a>(lines: &[&'a str], hunk: &'a [Line], at: usize) -> Option<Vec<&'a str>> {
    let (mut result, mut next) = (lines[..at].to_vec(), at);
    for line in hunk {
        if line.mark == Mark::Added {
            result.push(&line.text);
            continue;
        }
        if line.text.trim().is_empty() {
            continue;
        }
        while lines.get(next).is_some_and(|there| there.trim().is_empty()) {
            result.push(lines[next]);
            next += 1;
        }
        let there = lines.get(next).filter(|there| words(there) == words(&line.text))?;
        if line.mark == Mark::Kept {
            result.push(there);
        }
        next += 1;
    }
    result.extend(&lines[next..]);
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a\nb\nc\nd\ne\n";

    fn patched(text: &str, hunks: &str) -> Result<String, Refused> {
        let patch = format!("--- a/f.c\n+++ b/f.c\n{hunks}");
        let input = selvedge_patch::read(&patch).expect("a patch");
        apply(text, &input.patches[0].files[0])
    }

    #[test]
    fn hunks_go_where_their_lines_are() {
        let hunk = "@@ -2,2 +2,3 @@\n b\n+x\n c\n";
        assert_eq!(patched(TEXT, hunk).expect("applies"), "a\nb\nx\nc\nd\ne\n");
        let moved = format!("1\n2\n3\n{TEXT}");
        assert_eq!(patched(&moved, hunk).expect("applies"), "1\n2\n3\na\nb\nx\nc\nd\ne\n");
    }

    #[test]
    fn a_hunk_without_context_goes_by_its_number() {
        assert_eq!(patched(TEXT, "@@ -3,0 +4 @@\n+x\n").expect("applies"), "a\nb\nc\nx\nd\ne\n");
        assert_eq!(patched(TEXT, "@@ -2 +1,0 @@\n-b\n").expect("applies"), "a\nc\nd\ne\n");
        let two = "@@ -1,0 +2 @@\n+x\n@@ -4 +5,0 @@\n-d\n";
        assert_eq!(patched(TEXT, two).expect("applies"), "a\nx\nb\nc\ne\n");
    }

    #[test]
    fn what_is_not_there_is_refused_by_hunk() {
        let two = "@@ -1,1 +1,2 @@\n a\n+x\n@@ -4,1 +5,1 @@\n-nothing\n+d\n";
        let refused = patched(TEXT, two).expect_err("does not apply");
        assert_eq!(refused.hunk, 2);
        assert!(refused.why.contains("`nothing`"), "{}", refused.why);
    }

    /// A hunk in its four lives: as it was made, quoted in a mail, without its blanks, and with
    /// these and without the empty lines.
    #[test]
    fn hunks_of_mails_are_applied() {
        let text = "int f(void)\n{\n\tint a;\n\n\ta = 1;\n\treturn a;\n}\n";
        let new = |indent: &str| {
            format!("int f(void)\n{{\n\tint a;\n\n{indent}a = 2;\n\treturn a;\n}}\n")
        };
        let header = "@@ -2,5 +2,5 @@ int f(void)\n";
        let whole = format!("{header} {{\n \tint a;\n \n-\ta = 1;\n+\ta = 2;\n \treturn a;\n");
        assert_eq!(patched(text, &whole).expect("applies"), new("\t"));
        let flat = format!("{header}{{\nint a;\n\n- a = 1;\n+ a = 2;\nreturn a;\n");
        assert_eq!(patched(text, &flat).expect("applies"), new(" "));
        let moved = format!("\n\n{text}");
        let applied = patched(&moved, &flat).expect("applies elsewhere");
        assert_eq!(applied, format!("\n\n{}", new(" ")));
        let other = flat.replace("a = 1", "a = 7");
        let refused = patched(text, &other).expect_err("does not apply");
        assert!(refused.why.contains("`{`"), "{}", refused.why);
        let quoted: String =
            format!("--- a/f.c\n+++ b/f.c\n{whole}").lines().map(|l| format!("> {l}\n")).collect();
        let input = selvedge_patch::read(&format!("A Weaver wrote:\n{quoted}")).expect("a patch");
        assert_eq!(apply(text, &input.patches[0].files[0]).expect("applies"), new("\t"));
    }
}
