//! Versions of the kernel, as they are written: `5.13`, `5.9-rc1`, `6.12.117`.

use std::fmt;

/// A version. Ordered within the mainline, and within a stable series.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Version {
    major: u32,
    minor: u32,
    /// Which release of the stable series; 0 in the mainline.
    stable: u32,
    /// Which candidate; [`FINAL`] if none.
    candidate: u32,
}

/// After every candidate.
const FINAL: u32 = u32::MAX;

impl Version {
    /// Reads `5.13`, `5.9-rc1` or `6.12.117`, with or without a `v` in front.
    ///
    /// # Panics
    /// If it is none of these; of a constant, when it is compiled.
    pub const fn parse(text: &str) -> Version {
        let text = text.as_bytes();
        let start = if !text.is_empty() && text[0] == b'v' { 1 } else { 0 };
        let (major, at) = number(text, start);
        let (minor, at) = number(text, after(b".", text, at));
        let mut version = Version { major, minor, stable: 0, candidate: FINAL };
        let mut at = at;
        if at < text.len() && text[at] == b'.' {
            (version.stable, at) = number(text, at + 1);
        } else if at < text.len() {
            (version.candidate, at) = number(text, after(b"-rc", text, at));
        }
        assert!(at == text.len(), "a version is 5.13, 5.9-rc1 or 6.12.117");
        version
    }

    /// Is what this mainline version has in `release` too, be it stable or not?
    pub const fn is_in(self, release: Version) -> bool {
        if self.major != release.major {
            return self.major < release.major;
        }
        if self.minor != release.minor {
            return self.minor < release.minor;
        }
        self.candidate <= release.candidate
    }

    /// Is what this version is known to have in `release` too? Of a stable version nobody knows
    /// outside of its series.
    pub const fn is_not_after(self, release: Version) -> bool {
        if self.stable == 0 { self.is_in(release) } else { self.is_backported_to(release) }
    }

    /// Is what this stable version has in `release`, which is of the same series?
    pub const fn is_backported_to(self, release: Version) -> bool {
        let same_series = self.major == release.major && self.minor == release.minor;
        same_series && self.stable <= release.stable
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        match (self.stable, self.candidate) {
            (0, FINAL) => Ok(()),
            (0, candidate) => write!(f, "-rc{candidate}"),
            (stable, _) => write!(f, ".{stable}"),
        }
    }
}

/// The number that begins at `at`, and where it ends.
const fn number(text: &[u8], at: usize) -> (u32, usize) {
    let (mut value, mut end) = (0, at);
    while end < text.len() && text[end].is_ascii_digit() {
        value = value * 10 + (text[end] - b'0') as u32;
        end += 1;
    }
    assert!(end > at, "a version is 5.13, 5.9-rc1 or 6.12.117");
    (value, end)
}

/// Where `separator`, which must be at `at`, ends.
const fn after(separator: &[u8], text: &[u8], at: usize) -> usize {
    let mut i = 0;
    while i < separator.len() {
        let is_there = at + i < text.len() && text[at + i] == separator[i];
        assert!(is_there, "a version is 5.13, 5.9-rc1 or 6.12.117");
        i += 1;
    }
    at + separator.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_written() {
        for text in ["5.13", "5.9-rc1", "6.12.117"] {
            assert_eq!(Version::parse(text).to_string(), text);
            assert_eq!(Version::parse(&format!("v{text}")), Version::parse(text));
        }
        for text in ["", "v", "6", "6.", "6.12.", "6.12-r1", "6.12.1.1", "6.12.1-rc1", "next"] {
            let read = std::panic::catch_unwind(|| Version::parse(text));
            assert!(read.is_err(), "{text}");
        }
    }

    #[test]
    fn a_release_has_what_earlier_ones_have() {
        let is_in = |a: &str, b: &str| Version::parse(a).is_in(Version::parse(b));
        assert!(is_in("5.9-rc1", "5.9-rc1") && is_in("5.9-rc1", "5.9") && is_in("5.9", "5.10-rc1"));
        assert!(!is_in("5.9", "5.9-rc6") && !is_in("5.10", "5.9"));
        assert!(is_in("6.1", "6.1.192") && is_in("5.18", "6.1.192") && !is_in("6.2", "6.1.192"));
        let to = |a: &str, b: &str| Version::parse(a).is_backported_to(Version::parse(b));
        assert!(to("6.11.5", "6.11.5") && to("6.11.5", "6.11.11"));
        assert!(!to("6.11.5", "6.11") && !to("6.11.5", "6.12.117"));
    }
}
