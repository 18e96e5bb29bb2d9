//! Domain names as Route 53 stores them.

/// The stored form: lower case, with the final dot, and every character but letters, digits,
/// hyphen, underscore and dot as a backslash and three octal digits, so `*` is `\052` (Route 53
/// developer guide, "DNS domain name format"). Escapes in the input stay as they are.
pub(super) fn stored(name: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(name.len() + 1);
    let bytes = name.trim_end_matches('.').as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escape = bytes.get(at + 1..at + 4).filter(|digits| {
            byte == b'\\' && digits.iter().all(|digit| (b'0'..=b'7').contains(digit))
        });
        if let Some(digits) = escape {
            out.push('\\');
            out.extend(digits.iter().map(|digit| char::from(*digit)));
            at += 4;
            continue;
        }
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(char::from(byte)),
            b'A'..=b'Z' => out.push(char::from(byte.to_ascii_lowercase())),
            _ => {
                let _ = write!(out, "\\{byte:03o}");
            }
        }
        at += 1;
    }
    out.push('.');
    out
}

/// What names are sorted by: the labels from the right, `com example www` (Route 53 API
/// reference, ListResourceRecordSets).
pub(super) fn sort_key(stored: &str) -> Vec<String> {
    stored.trim_end_matches('.').rsplit('.').map(str::to_owned).collect()
}

/// Whether a stored name is the zone's own or below it.
pub(super) fn is_within(stored: &str, zone: &str) -> bool {
    stored == zone || stored.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_stored_lower_case_dotted_and_escaped() {
        for (given, expected) in [
            ("Redis.Example.COM", "redis.example.com."),
            ("redis.example.com.", "redis.example.com."),
            ("*.example.com", "\\052.example.com."),
            ("\\052.example.com", "\\052.example.com."),
            ("a b.example.com", "a\\040b.example.com."),
            ("_srv.example.com", "_srv.example.com."),
        ] {
            assert_eq!(stored(given), expected, "{given}");
        }
    }

    #[test]
    fn a_name_is_in_its_zone_only_at_a_label_boundary() {
        assert!(is_within("a.example.com.", "example.com."));
        assert!(is_within("example.com.", "example.com."));
        assert!(!is_within("badexample.com.", "example.com."));
        assert!(!is_within("example.org.", "example.com."));
    }
}
