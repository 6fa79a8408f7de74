//! Transfer encodings of mails: quoted-printable and base64, of a body, a part or a word.

use crate::subject::begins_mail;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Plain,
    QuotedPrintable,
    Base64,
}

/// The text with every body or part decoded that a header says is encoded. Without such a header
/// the text is returned as it is.
pub(crate) fn bodies(text: &str) -> String {
    if !text.to_ascii_lowercase().contains("content-transfer-encoding:") {
        return text.into();
    }
    let (mut said, mut now) = (Encoding::Plain, Encoding::Plain);
    let (mut out, mut body) = (String::new(), String::new());
    let mut in_header = true;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end_matches(['\n', '\r']);
        let ends_body = begins_mail(bare) || is_boundary(bare) && now != Encoding::Plain;
        if ends_body || !in_header && is_boundary(bare) {
            out.push_str(&decoded(&std::mem::take(&mut body), now));
            (said, now, in_header) = (Encoding::Plain, Encoding::Plain, true);
        }
        if !in_header && now != Encoding::Plain {
            body.push_str(line);
            continue;
        }
        out.push_str(line);
        if in_header && bare.is_empty() {
            (now, in_header) = (said, false);
        } else if in_header {
            said = encoding(bare).unwrap_or(said);
        }
    }
    out.push_str(&decoded(&body, now));
    out
}

/// A line between the parts of a mail. Not the `-- ` before a signature, nor the `---` of a patch.
fn is_boundary(line: &str) -> bool {
    let Some(rest) = line.strip_prefix("--") else { return false };
    rest.len() >= 8 && !rest.contains(' ') && !rest.contains('\t')
}

fn encoding(header: &str) -> Option<Encoding> {
    let (name, value) = header.split_once(':')?;
    if !name.eq_ignore_ascii_case("content-transfer-encoding") {
        return None;
    }
    Some(match value.trim().to_ascii_lowercase().as_str() {
        "quoted-printable" => Encoding::QuotedPrintable,
        "base64" => Encoding::Base64,
        _ => Encoding::Plain,
    })
}

fn decoded(body: &str, encoding: Encoding) -> String {
    let bytes = match encoding {
        Encoding::Plain => return body.into(),
        Encoding::QuotedPrintable => quoted_printable(body, false),
        Encoding::Base64 => base64(body),
    };
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `=3D` is `=`, and `=` at the end of a line joins it to the next. In the word of a header `_` is
/// a blank.
fn quoted_printable(text: &str, in_word: bool) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        let after = bytes.get(at..).unwrap_or_default();
        match (byte, after) {
            (b'=', [b'\r', b'\n', ..]) => at += 2,
            (b'=', [b'\n', ..]) => at += 1,
            (b'=', &[high, low, ..]) => match (hex(high), hex(low)) {
                (Some(high), Some(low)) => {
                    out.push(high * 16 + low);
                    at += 2;
                }
                _ => out.push(byte),
            },
            (b'_', _) if in_word => out.push(b' '),
            _ => out.push(byte),
        }
    }
    out
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// What is no digit of base64 is passed over.
fn base64(text: &str) -> Vec<u8> {
    let (mut out, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for byte in text.bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    out
}

/// A header with its encoded words (`=?utf-8?q?a_b?=`) decoded.
pub(crate) fn words(header: &str) -> String {
    let mut out = String::new();
    let mut rest = header;
    while let Some((before, word, after)) = next_word(rest) {
        out.push_str(before);
        out.push_str(&word);
        rest = after;
    }
    out.push_str(rest);
    out
}

fn next_word(text: &str) -> Option<(&str, String, &str)> {
    let (before, word) = text.split_once("=?")?;
    let mut fields = word.splitn(3, '?');
    let (_charset, encoding, rest) = (fields.next()?, fields.next()?, fields.next()?);
    let (content, after) = rest.split_once("?=")?;
    let bytes = match encoding {
        "q" | "Q" => quoted_printable(content, true),
        "b" | "B" => base64(content),
        _ => return None,
    };
    Some((before, String::from_utf8_lossy(&bytes).into_owned(), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_decoded_and_the_next_mail_is_not() {
        let text = "From a@b Mon Jan 1 00:00:00 2024\nSubject: x\n\
                    Content-Transfer-Encoding: quoted-printable\n\n+a =3D=\n b;\n\
                    From a@b Mon Jan 1 00:00:00 2024\nSubject: y\n\n+a =3D b;\n";
        let out = bodies(text);
        assert!(out.contains("\n+a = b;\nFrom"), "{out}");
        assert!(out.ends_with("\n+a =3D b;\n"), "{out}");
    }

    #[test]
    fn base64_is_decoded() {
        // printf '+x = 1;\n' | base64
        let text = "Content-Transfer-Encoding: base64\n\nK3ggPSAxOwo=\n";
        assert!(bodies(text).ends_with("\n\n+x = 1;\n"));
    }

    #[test]
    fn a_subject_is_decoded_by_words() {
        assert_eq!(words("[PATCH] =?utf-8?q?mm=3A_a?= b"), "[PATCH] mm: a b");
        assert_eq!(words("a =?broken"), "a =?broken");
    }
}
