//! Files and hunks from the lines of a mail.

use crate::quote::{Source, lines};
use crate::{FileDiff, Form, Hunk, Input, Line, Mark, NoPatch, Patch, Remark, decode, subject};

/// Reads every patch in the text.
///
/// # Errors
/// If there is none: what there is instead.
pub fn read(text: &str) -> Result<Input, NoPatch> {
    let text = decode::bodies(text);
    let lines = lines(&text);
    let mut reader = Reader { lines: &lines, at: 0, ..Reader::default() };
    while reader.at < lines.len() {
        reader.step();
    }
    let mut input = reader.input;
    for patch in &mut input.patches {
        patch.files.retain(|file| !file.hunks.is_empty());
    }
    input.patches.retain(|patch| !patch.files.is_empty());
    if input.patches.is_empty() { Err(nothing(&text, &lines, &input)) } else { Ok(input) }
}

/// What a text is that has no patch.
fn nothing(text: &str, lines: &[Source], input: &Input) -> NoPatch {
    let subject = (0..lines.len()).find_map(|at| subject::at(lines, at));
    let found = if text.trim().is_empty() {
        "nothing but blanks".into()
    } else if let Some(remark) = input.remarks.first() {
        format!("in line {}: {}", remark.line, remark.text)
    } else {
        let about = subject.as_ref().map_or(String::new(), |name| format!(" about \"{name}\""));
        let count = text.lines().count();
        let quoted = lines.iter().any(|line| line.depth > 0);
        let kind = if quoted { "a mail" } else { "text" };
        let plural = if count == 1 { "" } else { "s" };
        format!("{kind}{about}, {count} line{plural}, with no line of a diff")
    };
    NoPatch { found, subject }
}

#[derive(Default)]
struct Reader<'a> {
    lines: &'a [Source],
    at: usize,
    input: Input,
    /// A subject, or the start of a mail, since the last hunk: the next diff is another patch.
    pending: Option<Option<String>>,
    /// Where the file is that the next hunk is of.
    file: Option<Place>,
}

/// How deeply quoted and indented the lines of a diff are.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    depth: usize,
    indent: usize,
}

impl Reader<'_> {
    fn step(&mut self) {
        let line = &self.lines[self.at];
        let text = line.text.trim_start_matches([' ', '\t']);
        let place = Place { depth: line.depth, indent: line.text.len() - text.len() };
        if let Some((from, to)) = self.file_header(place) {
            self.begin_file(place, &from, &to);
            self.at += 2;
            return;
        }
        if let Some(header) = HunkHeader::parse(text) {
            if self.file.is_some_and(|file| file.depth == place.depth) {
                self.hunk(place, &header);
                return;
            }
            self.remark(self.at, "a hunk without the name of its file before it: left out");
        } else if text.starts_with("diff --git ") || subject::begins_mail(text) {
            self.file = None;
            if !text.starts_with("diff ") {
                self.pending = Some(None);
            }
        } else if let Some(subject) = subject::at(self.lines, self.at) {
            self.pending = Some(Some(subject));
        } else if text.starts_with("*** ") && text.ends_with(" ****") {
            self.remark(self.at, "a hunk of a context diff (`diff -c`): make it with `diff -u`");
        } else if text.starts_with("GIT binary patch") {
            self.remark(self.at, "a binary file: left out");
        }
        self.at += 1;
    }

    /// `--- FROM` here and `+++ TO` in the next line.
    fn file_header(&self, place: Place) -> Option<(String, String)> {
        let from = strip(self.lines.get(self.at)?, place).strip_prefix("--- ")?;
        let next = self.lines.get(self.at + 1)?;
        let to = (next.depth == place.depth).then(|| strip(next, place))?.strip_prefix("+++ ")?;
        Some((path(from)?, path(to)?))
    }

    fn begin_file(&mut self, place: Place, from: &str, to: &str) {
        let subject = self.pending.take();
        let first = self.input.patches.is_empty();
        if subject.is_some() || first {
            let (subject, line) = (subject.flatten(), self.lines[self.at].number);
            self.input.patches.push(Patch { subject, line, files: Vec::new() });
        }
        let path = if to == NOTHING { from } else { to };
        let renamed_from = (from != path && from != NOTHING).then(|| from.to_string());
        let file = FileDiff { path: path.into(), renamed_from, hunks: Vec::new() };
        if let Some(patch) = self.input.patches.last_mut() {
            patch.files.push(file);
        }
        self.file = Some(place);
    }

    fn hunk(&mut self, place: Place, header: &HunkHeader) {
        let first = self.at;
        let line = &self.lines[first];
        self.at += 1;
        let mut hunk = Hunk {
            line: line.number,
            old_start: header.old_start,
            heading: header.heading.clone(),
            lines: Vec::new(),
            form: if line.breaks_lost { Form::HeaderOnly } else { Form::Whole },
        };
        let (mut old, mut new) = (header.old_count, header.new_count);
        while !line.breaks_lost && (old > 0 || new > 0) && self.at < self.lines.len() {
            if self.ends_early(place) {
                break;
            }
            let next = &self.lines[self.at];
            self.at += 1;
            if next.depth != place.depth {
                // What a reviewer wrote between the lines.
                continue;
            }
            let Some(line) = self.line(place, next, &mut hunk.form) else { continue };
            match line.mark {
                Mark::Kept => (old, new) = (old.saturating_sub(1), new.saturating_sub(1)),
                Mark::Removed => old = old.saturating_sub(1),
                Mark::Added => new = new.saturating_sub(1),
            }
            hunk.lines.push(line);
        }
        if !line.breaks_lost && (old > 0 || new > 0) {
            self.remark(first, "the hunk ends before it has the lines that its header says");
        }
        let files = self.input.patches.last_mut().map(|patch| &mut patch.files);
        if let Some(file) = files.and_then(|files| files.last_mut()) {
            file.hunks.push(hunk);
        }
    }

    /// Another file, hunk or mail begins here, whatever the header's counts say.
    fn ends_early(&self, place: Place) -> bool {
        let line = &self.lines[self.at];
        let text = strip(line, place);
        line.depth == place.depth
            && (text.starts_with("diff --git ")
                || HunkHeader::parse(text).is_some()
                || self.file_header(place).is_some()
                || subject::begins_mail(text))
    }

    /// A line of a hunk; `None` for the remark that a file does not end with a line break.
    fn line(&self, place: Place, source: &Source, form: &mut Form) -> Option<Line> {
        let text = strip(source, place);
        let mut chars = text.chars();
        let mark = match chars.next() {
            Some('\\') => return None,
            Some('+') => Mark::Added,
            Some('-') => Mark::Removed,
            Some(' ') => Mark::Kept,
            // Editors and mailers cut blanks at the end of a line.
            None => return Some(Line { mark: Mark::Kept, text: String::new() }),
            Some(_) => {
                *form = Form::Flattened;
                return Some(Line { mark: Mark::Kept, text: text.into() });
            }
        };
        Some(Line { mark, text: chars.as_str().into() })
    }

    fn remark(&mut self, at: usize, text: &str) {
        let line = self.lines.get(at).map_or(0, |line| line.number);
        self.input.remarks.push(Remark { line, text: text.into() });
    }
}

/// The line without the blanks that the whole diff is indented by.
fn strip(line: &Source, place: Place) -> &str {
    let blanks = line.text.bytes().take_while(|b| matches!(b, b' ' | b'\t')).count();
    line.text.get(blanks.min(place.indent)..).unwrap_or_default()
}

/// `@@ -OLD,COUNT +NEW,COUNT @@ HEADING`
struct HunkHeader {
    old_start: usize,
    old_count: usize,
    new_count: usize,
    heading: String,
}

impl HunkHeader {
    fn parse(text: &str) -> Option<HunkHeader> {
        let (ranges, heading) = text.strip_prefix("@@ -")?.split_once(" @@")?;
        let (old, new) = ranges.split_once(" +")?;
        let (old_start, old_count) = range(old)?;
        let (_, new_count) = range(new)?;
        Some(HunkHeader { old_start, old_count, new_count, heading: heading.trim().into() })
    }
}

/// `12,3`, or `12` for one line.
fn range(text: &str) -> Option<(usize, usize)> {
    let (start, count) = text.split_once(',').unwrap_or((text, "1"));
    Some((start.trim().parse().ok()?, count.trim().parse().ok()?))
}

/// The path of a side that has no file.
const NOTHING: &str = "/dev/null";

/// The directories at the top of a kernel tree.
const TOP: &[&str] = &[
    "arch",
    "block",
    "certs",
    "crypto",
    "Documentation",
    "drivers",
    "fs",
    "include",
    "init",
    "io_uring",
    "ipc",
    "kernel",
    "lib",
    "mm",
    "net",
    "rust",
    "samples",
    "scripts",
    "security",
    "sound",
    "tools",
    "usr",
    "virt",
];

/// The path in the kernel tree: without `a/`, `linux-6.12/` or whatever comes before it, and
/// without the time that some diffs put after it.
fn path(text: &str) -> Option<String> {
    let text = text.split('\t').next().unwrap_or_default().trim();
    let text = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
    if text.is_empty() || text == NOTHING {
        return (!text.is_empty()).then(|| text.into());
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
    let top = parts.iter().position(|part| TOP.contains(part));
    let start = top.unwrap_or(usize::from(parts.len() > 1));
    Some(parts.get(start..)?.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_that_in_the_tree() {
        for text in ["a/mm/swap.c", "mm/swap.c", "next-20230217/mm/swap.c", "mm/swap.c\t2024"] {
            assert_eq!(path(text).as_deref(), Some("mm/swap.c"), "{text}");
        }
        assert_eq!(path("a/Makefile").as_deref(), Some("Makefile"));
        assert_eq!(path("a/include/linux/mm/x.h").as_deref(), Some("include/linux/mm/x.h"));
        assert_eq!(path("/dev/null").as_deref(), Some(NOTHING));
        assert_eq!(path(""), None);
    }
}
