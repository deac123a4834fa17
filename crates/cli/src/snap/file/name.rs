//! What a file that somebody sends is called here.

use crate::out::Clean;

/// The longest name, bytes: file systems take 255, and a partial file's name is longer.
const LONGEST: usize = 200;

/// A name that stays in the directory, hides nothing, and is a plain file's on every system.
///
/// What stands before the last slash is left out, either kind of slash; letters that some system reads as something else become
/// `_`, as does a dot in front. Nothing in it steers a terminal.
pub(crate) fn harmless(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut tame: String = last
        .chars()
        .map(|letter| match letter {
            '<' | '>' | ':' | '"' | '|' | '?' | '*' => '_',
            letter if Clean(letter).to_string().len() > letter.len_utf8() => '_',
            letter => letter,
        })
        .collect();
    tame.truncate(tame.trim_end_matches(['.', ' ']).len());
    let tame = tame.trim_start();
    let tame = match tame.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None => tame.to_owned(),
    };
    let tame = match shorten(&tame) {
        name if name.is_empty() => "file".into(),
        name => name,
    };
    match is_a_device(&tame) {
        true => format!("_{tame}"),
        false => tame,
    }
}

/// Cuts the middle, so that the ending, which tells the kind, stays.
fn shorten(name: &str) -> String {
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let (stem, ending) = match name.rfind('.') {
        Some(dot) if name.len() - dot <= 16 => name.split_at(dot),
        _ => (name, ""),
    };
    let mut end = LONGEST - ending.len();
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{ending}", stem.get(..end).unwrap_or_default())
}

/// Whether Windows takes the name for a device.
fn is_a_device(name: &str) -> bool {
    let stem = name
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_ascii_uppercase();
    let numbered = |of: &str| {
        stem.strip_prefix(of)
            .is_some_and(|number| matches!(number.as_bytes(), [b'1'..=b'9']))
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_directory_or_hides_or_steers() {
        for (sent, kept) in [
            ("photo.jpg", "photo.jpg"),
            ("日本 語.txt", "日本 語.txt"),
            ("../../.bashrc", "_bashrc"),
            ("/etc/passwd", "passwd"),
            ("C:\\Windows\\system.ini", "system.ini"),
            ("..", "file"),
            ("...", "file"),
            (".", "file"),
            ("", "file"),
            ("a/", "file"),
            ("a\u{1b}[2J\u{202e}gpj.exe", "a_[2J_gpj.exe"),
            ("a\0b\nc", "a_b_c"),
            ("what?.txt. .", "what_.txt"),
            ("nul", "_nul"),
            ("COM1.txt", "_COM1.txt"),
            ("Company.txt", "Company.txt"),
            ("a:stream", "a_stream"),
        ] {
            assert_eq!(harmless(sent), kept, "{sent:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_ending() {
        let kept = harmless(&format!("{}.tar", "é".repeat(500)));
        assert!(kept.len() <= LONGEST && kept.ends_with("é.tar"), "{kept}");
        assert_eq!(harmless(&"x".repeat(500)).len(), LONGEST);
        assert_eq!(harmless(&format!("a.{}", "x".repeat(500))).len(), LONGEST);
    }

    #[test]
    fn a_harmless_name_stays_as_it_is() {
        for name in ["../../.bashrc", "nul", "what?.txt. .", &"é.".repeat(500)] {
            assert_eq!(harmless(&harmless(name)), harmless(name), "{name}");
        }
    }
}
