//! Applies a hunk to the text of a file: at its line, or at the nearest place that has the same
//! lines. There is no fuzz: a context that is not there is no context.

use selvedge_patch::{FileDiff, Form, Hunk, Mark};

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
        if hunk.form != Form::Whole {
            return Err(refused("it has lost its blanks or line breaks on its way here".into()));
        }
        let of = |marks: [Mark; 2]| {
            let kept = hunk.lines.iter().filter(move |line| marks.contains(&line.mark));
            kept.map(|line| line.text.as_str()).collect::<Vec<&str>>()
        };
        let (old, new) = (of([Mark::Kept, Mark::Removed]), of([Mark::Kept, Mark::Added]));
        let wanted = wanted(hunk, &old).saturating_add_signed(shift);
        let Some(at) = place(&lines, &old, wanted) else {
            let first = old.first().map_or("", |line| line.trim());
            return Err(refused(format!(
                "nowhere are there its lines, the first of which is `{first}`"
            )));
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
}
