//! Names as the original camel-cases them: `foo-bar` is `fooBar`.

/// The camel case of a name, as the npm package `to-camel-case` computes it for every text: where a plugin's methods,
/// permissions and configuration are found.
///
/// Words are told apart by spaces, by punctuation, or, if there is neither, by capitals. Only ASCII letters and digits are
/// left, so the result may be empty.
///
/// ```
/// use handfast_stack::camel_case;
///
/// assert_eq!(camel_case("foo-bar"), "fooBar");
/// assert_eq!(camel_case("LANPeers"), "lANPeers"); // abbreviations are not known as such
/// ```
pub fn camel_case(name: &str) -> String {
    let spaced = separated(&without_case(name));
    let mut camel = String::with_capacity(spaced.len());
    let mut starts_word = false;
    for letter in spaced.trim_start_matches(' ').chars() {
        match letter {
            ' ' => starts_word = true,
            letter if std::mem::take(&mut starts_word) => camel.push(letter.to_ascii_uppercase()),
            letter => camel.push(letter),
        }
    }
    camel
}

/// Lower case, with a space wherever the case of the text told words apart.
///
/// Only the first of the three signs that is found counts: a text with spaces keeps its punctuation for now, and one with
/// either is not searched for capitals.
fn without_case(text: &str) -> String {
    if text.chars().any(is_space) {
        text.to_lowercase()
    } else if text.contains(['_', '-', '.', ':']) {
        match separated(text) {
            // Nothing but punctuation stays as it is.
            nothing if nothing.is_empty() => text.to_lowercase(),
            words => words.to_lowercase(),
        }
    } else if has_two_cases(text) {
        split_at_capitals(text).to_lowercase()
    } else {
        text.to_lowercase()
    }
}

/// Each run of what is neither an ASCII letter nor a digit becomes one space; a run at the end goes.
fn separated(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut gap = false;
    for letter in text.chars() {
        if !letter.is_ascii_alphanumeric() {
            gap = true;
            continue;
        }
        if std::mem::take(&mut gap) {
            words.push(' ');
        }
        words.push(letter);
    }
    words
}

/// Whether a small and a capital ASCII letter stand side by side.
fn has_two_cases(text: &str) -> bool {
    text.as_bytes().windows(2).any(|pair| match pair {
        [a, b] => {
            (a.is_ascii_lowercase() && b.is_ascii_uppercase()) || (a.is_ascii_uppercase() && b.is_ascii_lowercase())
        }
        _ => false,
    })
}

/// A space before each ASCII capital, except before one that begins the text or follows the first letter after such a run.
fn split_at_capitals(text: &str) -> String {
    let mut words = String::with_capacity(2 * text.len());
    let mut letters = text.chars().peekable();
    // Any letter, be it a capital itself, and the capitals that follow it.
    while let Some(letter) = letters.next() {
        words.push(letter);
        while let Some(capital) = letters.next_if(char::is_ascii_uppercase) {
            words.push(' ');
            words.push(capital);
        }
    }
    words
}

/// What JavaScript takes for white space: Rust's, without U+0085 and with the byte order mark.
fn is_space(letter: char) -> bool {
    (letter.is_whitespace() && letter != '\u{85}') || letter == '\u{feff}'
}
