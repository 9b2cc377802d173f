//! How a text becomes words.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Longest word, in characters. The rest of a longer one does not count.
pub(crate) const MAX_WORD: usize = 40;

/// The words of a text: runs of letters and digits in lower case, without accents and
/// apostrophes. Every Chinese or Japanese character is a word.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut word = String::new();
    let mut len = 0;
    let mut end = |word: &mut String, len: &mut usize| {
        *len = 0;
        if let Some((cut, _)) = word.char_indices().nth(MAX_WORD) {
            word.truncate(cut);
        }
        if !word.is_empty() {
            found.push(std::mem::take(word));
        }
    };
    // Most texts are plain already.
    let (plain_text, other) = if text.is_ascii() { (text, "") } else { ("", text) };
    for char in plain_text.chars().chain(other.nfkd()).filter(|&char| !is_combining_mark(char)) {
        if is_ideograph(char) {
            end(&mut word, &mut len);
            word.push(char);
            end(&mut word, &mut len);
        } else if char.is_alphanumeric() {
            for char in char.to_lowercase().filter(|&char| !is_combining_mark(char)) {
                if len < MAX_WORD {
                    len += plain(char, &mut word);
                }
            }
        } else if !matches!(char, '\'' | '’') {
            end(&mut word, &mut len);
        }
    }
    end(&mut word, &mut len);
    found
}

/// Adds a letter, written with plain ones where Unicode does not decompose it. Returns the
/// number of characters added.
fn plain(char: char, word: &mut String) -> usize {
    let text = match char {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ı' => "i",
        _ => {
            word.push(char);
            return 1;
        }
    };
    word.push_str(text);
    text.len()
}

fn is_ideograph(char: char) -> bool {
    matches!(char,
        '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// The form that singular and plural of an English word share: "berries" and "berry", "boxes" and
/// "box", "cookies" and "cookie". It need not be a word.
pub(crate) fn singular(word: &str) -> String {
    let is_plural = word.len() > 3
        && word.is_ascii()
        && word.ends_with('s')
        && !["ss", "us", "is"].iter().any(|end| word.ends_with(end));
    let stem = if is_plural { &word[..word.len() - 1] } else { word };
    if let Some(stem) = stem.strip_suffix("ie") {
        return format!("{stem}y");
    }
    let silent = ["oe", "che", "she", "xe", "ze", "sse"].iter().any(|end| stem.ends_with(end));
    if silent { stem[..stem.len() - 1].to_owned() } else { stem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_plain_and_in_lower_case() {
        assert_eq!(words("Crème Brûlée, 2×500g"), ["creme", "brulee", "2", "500g"]);
        assert_eq!(words("Kellogg's  M&M’s"), ["kelloggs", "m", "ms"]);
        assert_eq!(words("Weißbier Smørrebrød ＴＥＡ"), ["weissbier", "smorrebrod", "tea"]);
        assert_eq!(words("İstanbul"), ["istanbul"]);
        assert_eq!(words("緑茶 tea"), ["緑", "茶", "tea"]);
        assert!(words(" -&- ").is_empty());
        assert_eq!(words(&"x".repeat(500))[0].chars().count(), MAX_WORD);
    }

    #[test]
    fn singular_and_plural_are_the_same() {
        for (one, many) in [
            ("berry", "berries"),
            ("cookie", "cookies"),
            ("pie", "pies"),
            ("tomato", "tomatoes"),
            ("shoe", "shoes"),
            ("box", "boxes"),
            ("peach", "peaches"),
            ("quiche", "quiches"),
            ("glass", "glasses"),
            ("cheese", "cheeses"),
            ("wine", "wines"),
            ("egg", "eggs"),
        ] {
            assert_eq!(singular(one), singular(many));
        }
        for (one, other) in [("wine", "win"), ("cane", "can"), ("gas", "ga"), ("hummus", "hummu")] {
            assert_ne!(singular(one), singular(other));
        }
    }
}
