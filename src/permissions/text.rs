//! Text with wildcards in it, which are told from stars and question marks that a playbook wrote.

/// Any run of characters. Private-use characters, since no name on AWS may hold one.
pub(super) const ANY: char = '\u{E000}';
/// One character.
const ONE: char = '\u{E001}';

/// A pattern that the program wrote: its `*` and `?` are wildcards.
pub(super) fn pattern(text: &str) -> String {
    text.replace('*', &ANY.to_string()).replace('?', &ONE.to_string())
}

/// As a policy writes it: what a playbook wrote means itself (IAM user guide, policy variables: `${*}`, `${?}`, `${$}`).
pub(super) fn written(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ANY => out.push('*'),
            ONE => out.push('?'),
            '*' | '?' | '$' => out.extend(["${", &c.to_string(), "}"]),
            c => out.push(c),
        }
    }
    out
}

/// An example of what a pattern stands for, where the wildcards stand for parts that a run makes up. The second tells
/// whether any sensible policy judges all of them alike: a name that is not known at all may be any.
pub(super) fn example(text: &str) -> (String, bool) {
    let alike = text.split(ANY).all(|part| !part.is_empty() || text.ends_with(ANY))
        && text.contains("orc-")
        && !text.contains(ONE);
    let filled = text.replace(ANY, "0000000000").replace(ONE, "0");
    (filled, alike || !text.contains([ANY, ONE]))
}

/// Whether everything that `narrow` matches `wide` matches too; both as policies write them.
pub(super) fn covers(wide: &str, narrow: &str) -> bool {
    let (wide, narrow) = (wide.as_bytes(), narrow.as_bytes());
    let (mut w, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < narrow.len() {
        if wide.get(w) == Some(&b'*') {
            star = Some((w, n));
            w += 1;
        } else if wide.get(w).is_some_and(|c| *c == narrow[n] || (*c == b'?' && narrow[n] != b'*'))
        {
            (w, n) = (w + 1, n + 1);
        } else if let Some((at, taken)) = star {
            star = Some((at, taken + 1));
            (w, n) = (at + 1, taken + 1);
        } else {
            return false;
        }
    }
    wide[w..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_playbook_wrote_is_no_wildcard() {
        assert_eq!(written(&format!("{}a*b", pattern("orc-*-"))), "orc-*-a${*}b");
    }

    #[test]
    fn a_wider_pattern_covers_a_narrower_one() {
        for (wide, narrow, does) in [
            ("*", "arn:aws:s3:::b", true),
            ("arn:aws:s3:::b/*", "arn:aws:s3:::b/orc-*-0001.rdb", true),
            ("arn:aws:s3:::b/orc-*", "arn:aws:s3:::b/*", false),
            ("a-??", "a-**", false),
            ("a-??", "a-bc", true),
            ("a", "a", true),
        ] {
            assert_eq!(covers(wide, narrow), does, "{wide} {narrow}");
        }
    }

    #[test]
    fn only_parts_that_a_run_makes_up_have_a_telling_example() {
        assert!(example(&pattern("snapshot:orc-*-snapshot*")).1);
        assert!(!example(&pattern("snapshot:*")).1);
        assert_eq!(example("snapshot:mine"), ("snapshot:mine".to_owned(), true));
    }
}
