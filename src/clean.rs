//! Text of agents in a form that Postgres can store. It cannot store U+0000, half of a surrogate pair, or bytes that are
//! not UTF-8. What an agent prints must never be the reason why its task cannot end.

use serde::de::IgnoredAny;

/// JSON that is nested more deeply is stored as one text, because Postgres reads JSON recursively.
const MOST_DEPTH: usize = 1000;
/// As many digits as a number of jsonb can have before its decimal point, and after it, with some room.
const MOST_DIGITS: [i64; 2] = [100_000, 16_000];
/// Stands for what is no character.
const REPLACEMENT: char = '\u{fffd}';

/// Returns bytes as text. U+0000 is left out, and bytes that are not UTF-8 become U+FFFD.
pub fn text(bytes: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    text.retain(|c| c != '\0');
    text
}

/// Returns JSON that Postgres can store as jsonb. In all strings of the document, keys included, U+0000 is left out, and
/// bytes that are not UTF-8 and halves of surrogate pairs become U+FFFD. Bytes that are not JSON, and JSON that is
/// nested too deeply or has a number out of the range of jsonb, become one string.
pub fn json(bytes: &[u8]) -> String {
    let text = text(bytes);
    let cleaned = with_clean_strings(&text);
    if is_storable(&cleaned) {
        return cleaned;
    }
    serde_json::to_string(&text).expect("text is JSON")
}

/// Returns JSON with strings that Postgres can store. Control characters in strings, which JSON does not allow, are
/// escaped. What is not JSON stays so.
fn with_clean_strings(json: &str) -> String {
    let mut clean = String::with_capacity(json.len());
    let mut rest = json;
    let mut is_string = false;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '"' => {
                is_string = !is_string;
                clean.push(c);
            }
            '\\' if is_string => rest = escape(rest, &mut clean),
            control if is_string && control < ' ' => clean.push_str(&format!("\\u{:04x}", control as u32)),
            other => clean.push(other),
        }
    }
    clean
}

/// Adds the escape sequence whose backslash comes before `rest`; returns what follows it.
fn escape<'a>(rest: &'a str, clean: &mut String) -> &'a str {
    let Some(code) = unicode(rest) else {
        let length = rest.chars().next().map_or(0, char::len_utf8);
        clean.push('\\');
        clean.push_str(&rest[..length]);
        return &rest[length..];
    };
    let after = &rest[5..];
    match code {
        0 => {}
        0xd800..0xdc00 => {
            let low = after.strip_prefix('\\').filter(|next| unicode(next).is_some_and(is_low_surrogate));
            if let Some(low) = low {
                clean.push('\\');
                clean.push_str(&rest[..5]);
                clean.push('\\');
                clean.push_str(&low[..5]);
                return &low[5..];
            }
            clean.push(REPLACEMENT);
        }
        low if is_low_surrogate(low) => clean.push(REPLACEMENT),
        _ => {
            clean.push('\\');
            clean.push_str(&rest[..5]);
        }
    }
    after
}

/// Returns the code of an escape sequence like `u00e4`.
fn unicode(sequence: &str) -> Option<u32> {
    let digits = sequence.strip_prefix('u')?.get(..4)?;
    let are_digits = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    are_digits.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

fn is_low_surrogate(code: u32) -> bool {
    (0xdc00..0xe000).contains(&code)
}

/// Whether Postgres can store this text with clean strings as jsonb.
fn is_storable(json: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(json).is_ok() && is_in_range(json.as_bytes())
}

/// Whether JSON is not nested too deeply, and jsonb has all its numbers.
fn is_in_range(json: &[u8]) -> bool {
    let (mut depth, mut at) = (0, 0);
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => at = end_of_string(json, at),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            b'-' | b'0'..=b'9' => {
                let number =
                    json[at..].iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
                let number = &json[at..at + number.count()];
                if !is_number_of_jsonb(number) {
                    return false;
                }
                at += number.len() - 1;
            }
            _ => {}
        }
        if depth > MOST_DEPTH {
            return false;
        }
        at += 1;
    }
    true
}

/// Returns the place of the quote that ends the string which begins at `at`.
fn end_of_string(json: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while json.get(end).is_some_and(|byte| *byte != b'"') {
        end += if json[end] == b'\\' { 2 } else { 1 };
    }
    end
}

fn is_number_of_jsonb(number: &[u8]) -> bool {
    let number = String::from_utf8_lossy(number);
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((&number, "0"));
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let Ok(exponent) = exponent.parse::<i64>() else { return false };
    let (before, after) = (before.len() as i64, after.len() as i64);
    before.saturating_add(exponent) <= MOST_DIGITS[0] && after.saturating_sub(exponent) <= MOST_DIGITS[1]
}

#[cfg(any(test, feature = "pg_test"))]
#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use super::{json, text};

    /// Cleans bytes, and returns the jsonb that they become as text.
    fn stored(bytes: &[u8]) -> String {
        Spi::get_one_with_args("SELECT $1::jsonb::text", &[json(bytes).into()]).unwrap().unwrap()
    }

    #[pg_test]
    fn text_that_cannot_be_stored_is_cleaned() {
        assert_eq!(text(b"a\0b"), "ab");
        assert_eq!(text(b"a\xffb\xc3"), "a\u{fffd}b\u{fffd}");
        assert_eq!(text("\u{e4}\u{1f600}".as_bytes()), "\u{e4}\u{1f600}");
    }

    #[pg_test]
    fn strings_of_json_are_cleaned_at_every_depth() {
        for (bytes, expected) in [
            (&br#"{"a\u0000b": [{"c": "d\u0000"}]}"#[..], r#"{"ab": [{"c": "d"}]}"#),
            (
                br#"["\ud800", "\udc00", "\ud83d\ude00", "\ud83dx"]"#,
                "[\"\u{fffd}\", \"\u{fffd}\", \"\u{1f600}\", \"\u{fffd}x\"]",
            ),
            (br#"["\ud800\u0041", "\ud800\ud83d\ude00"]"#, "[\"\u{fffd}A\", \"\u{fffd}\u{1f600}\"]"),
            (br#"["\\u0000", "\\\u0000", "\"\u0000\""]"#, r#"["\\u0000", "\\", "\"\""]"#),
            (b"[\"\xff\", \"a\0b\", \"c\nd\"]", "[\"\u{fffd}\", \"ab\", \"c\\nd\"]"),
            (
                br#"{"n": 123456789012345678901234567890.5, "t": true, "e": {}}"#,
                r#"{"e": {}, "n": 123456789012345678901234567890.5, "t": true}"#,
            ),
            (b"1e400", &format!("1{}", "0".repeat(400))),
        ] {
            assert_eq!(stored(bytes), expected, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[pg_test]
    fn what_is_no_json_becomes_one_string() {
        for (bytes, expected) in [
            (&b""[..], r#""""#),
            (b"Done.\0", r#""Done.""#),
            (br#"{"output": "cut of"#, r#""{\"output\": \"cut of""#),
            (br#"["\u00"]"#, r#""[\"\\u00\"]""#),
            (b"1e400000", r#""1e400000""#),
            (b"[1e-20000]", r#""[1e-20000]""#),
            (b"[1e99999999999999999999]", r#""[1e99999999999999999999]""#),
            (br#"["a" "b"]"#, r#""[\"a\" \"b\"]""#),
            (br#"["a\"#, r#""[\"a\\""#),
        ] {
            assert_eq!(stored(bytes), expected, "{}", String::from_utf8_lossy(bytes));
        }
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(stored(deep(1000).as_bytes()), deep(1000));
        assert_eq!(stored(deep(1001).as_bytes()), format!("\"{}\"", deep(1001)));
        assert_eq!(stored(deep(100_000).as_bytes()), format!("\"{}\"", deep(100_000)));
        let text_with_brackets = format!("[\"{}\"]", "[".repeat(2000));
        assert_eq!(stored(text_with_brackets.as_bytes()), text_with_brackets);
    }
}
