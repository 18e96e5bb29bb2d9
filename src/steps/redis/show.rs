//! Keys and names as text: readable when they are, unambiguous when they are not.

use std::fmt::Write;

const LONGEST: usize = 120;

/// `"name"` in quotes with escapes; with its bytes in hex behind it if not all of them are printable ASCII. Long names
/// are cut, and say so.
pub(super) fn show(name: &[u8]) -> String {
    let cut = &name[..name.len().min(LONGEST)];
    let mut text = String::from("\"");
    for byte in cut {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(*byte)]),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            0x20..=0x7e => text.push(char::from(*byte)),
            _ => push(&mut text, format_args!("\\x{byte:02x}")),
        }
    }
    text.push('"');
    if cut.len() < name.len() {
        push(&mut text, format_args!(" (the first {LONGEST} of {} bytes)", name.len()));
    }
    if cut.iter().any(|b| !(0x20..=0x7e).contains(b)) {
        text.push_str(" (hex ");
        text.push_str(&hex(cut));
        text.push(')');
    }
    text
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        push(&mut text, format_args!("{byte:02x}"));
        text
    })
}

/// Digits in groups of three: "10,000".
pub(in crate::steps) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// "1 key", "2,000 keys".
pub(in crate::steps) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("writing to a String does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_names_are_quoted_and_others_also_given_in_hex() {
        assert_eq!(show(b"user:1"), "\"user:1\"");
        assert_eq!(show(b"a\"b\\"), "\"a\\\"b\\\\\"");
        assert_eq!(show(b"\xff\n"), "\"\\xff\\n\" (hex ff0a)");
    }

    #[test]
    fn a_long_name_is_cut_and_says_so() {
        let shown = show(&[b'a'; 500]);
        assert!(shown.ends_with("(the first 120 of 500 bytes)"), "{shown}");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(counted(1, "key", "keys"), "1 key");
    }
}
