//! What a patch is called.

use crate::quote::Source;

/// The subject that begins at this line, if one does: the header of a mail, or a line that looks
/// like one (`[PATCH v2 1/3] mm: …`).
pub(crate) fn at(lines: &[Source], at: usize) -> Option<String> {
    let line = lines.get(at)?;
    let text = line.text.trim();
    if let Some(subject) = header(text) {
        let mut whole = crate::decode::words(subject.trim());
        // A header may be folded; what follows is indented. A mail that was flattened is not
        // folded.
        let follows = lines.iter().skip(at + 1).take_while(|next| {
            next.depth == line.depth
                && next.text.starts_with([' ', '\t'])
                && !next.text.trim().is_empty()
        });
        for next in follows.take(8) {
            whole.push(' ');
            whole.push_str(&crate::decode::words(next.text.trim()));
        }
        return Some(whole);
    }
    let without_re = strip_replies(text);
    let tag = without_re.strip_prefix('[')?.split(']').next()?;
    let names_a_patch = tag.contains("PATCH") || tag.contains("RFC");
    (names_a_patch && without_re.len() > tag.len() + 3).then(|| text.to_string())
}

/// Does the line begin a mail of an mbox: `From ` and a commit or an address, then a date?
pub(crate) fn begins_mail(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("From ") else { return false };
    let mut words = rest.split_whitespace();
    let sender = words.next().unwrap_or_default();
    let is_commit = sender.len() >= 12 && sender.bytes().all(|b| b.is_ascii_hexdigit());
    let has_time = words.any(|word| word.matches(':').count() == 2);
    has_time && (is_commit || sender.contains('@') || sender == "-")
}

fn header(text: &str) -> Option<&str> {
    let (name, value) = text.split_once(':')?;
    let says = !value.trim().is_empty();
    (name.eq_ignore_ascii_case("subject") && says).then_some(value)
}

/// Without `Re:` and the like.
fn strip_replies(text: &str) -> &str {
    let mut rest = text.trim_start();
    while let Some((word, after)) = rest.split_once(':') {
        match word.to_ascii_lowercase().as_str() {
            "re" | "fwd" | "fw" | "aw" => rest = after.trim_start(),
            _ => break,
        }
    }
    rest
}
