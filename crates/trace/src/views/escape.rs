//! What a name from a file of anybody's must not do: steer a terminal, forge a line, end the text
//! of a page. One place for all who print.

/// Does a terminal, or who lays out a line, take it for a command rather than for text? Control
/// characters, line breaks of any kind, what is not seen, and what changes the direction of a line
/// (Unicode Technical Report 36, 55).
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// The text with each of these characters spelled out, `\u{1b}`, but for those to be kept.
pub fn spelled_out(text: &str, kept: &[char]) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match steers(c) && !kept.contains(&c) {
            true => out.extend(c.escape_unicode()),
            false => out.push(c),
        }
    }
    out
}

/// As text of HTML, XML or SVG, or as a value in quotes there. What XML does not have at all is
/// spelled out.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if steers(c) || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                out.extend(c.escape_unicode());
            }
            c => out.push(c),
        }
    }
    out
}

/// In quotes, for Graphviz: there a backslash is one only before certain letters, so that each is
/// doubled.
pub(crate) fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_spelled_out_and_what_is_to_be_kept_is_kept() {
        let text = "a\u{1b}[2J\tb\n\u{202e}c\u{200b}\u{2028}é";
        let spelled = "a\\u{1b}[2J\\u{9}b\\u{a}\\u{202e}c\\u{200b}\\u{2028}é";
        assert_eq!(spelled_out(text, &[]), spelled);
        assert!(spelled_out(text, &['\n', '\t']).starts_with("a\\u{1b}[2J\tb\n\\u{202e}c"));
    }

    #[test]
    fn text_of_a_page_stays_text() {
        assert_eq!(escaped("<script>&\"'\u{1b}"), "&lt;script&gt;&amp;&quot;&#39;\\u{1b}");
        assert_eq!(escaped("a\n\u{ffff}"), "a\n\\u{ffff}");
    }

    #[test]
    fn a_name_stays_within_its_quotes() {
        assert_eq!(quoted("\"];\\\""), "\"\\\"];\\\\\\\"\"");
        assert_eq!(quoted("a\nb"), "\"a\\nb\"");
    }
}
