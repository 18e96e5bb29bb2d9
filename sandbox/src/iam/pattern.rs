//! The two patterns of policies: plain text, and ARNs.

/// `*` is any run of characters, `?` is one.
pub(crate) fn wildcard(pattern: &str, text: &str, fold_case: bool) -> bool {
    let fold = |s: &str| if fold_case { s.to_lowercase() } else { s.to_owned() };
    let (pattern, text) = (fold(pattern).into_bytes(), fold(text).into_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == b'?' || pattern[p] == text[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((at, taken)) = star {
            star = Some((at, taken + 1));
            (p, t) = (at + 1, taken + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

/// An ARN pattern against an ARN: part by part, so that a wildcard reaches no further than the next colon, except in the
/// last part, which is the resource (IAM user guide, Resource element: "you cannot use a wildcard to span segments").
pub(super) fn arn(pattern: &str, text: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let parts = |arn: &str| -> Vec<String> { arn.splitn(6, ':').map(str::to_owned).collect() };
    let (pattern, text) = (parts(pattern), parts(text));
    pattern.len() == text.len() && pattern.iter().zip(&text).all(|(p, t)| wildcard(p, t, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stay_within_their_part_of_an_arn() {
        let snapshot = "arn:aws:elasticache:us-east-1:123456789012:snapshot:orc-1-snapshot";
        assert!(arn("arn:aws:elasticache:us-east-1:123456789012:snapshot:orc-*", snapshot));
        assert!(arn("arn:aws:elasticache:*:*:snapshot:orc-?-snapshot", snapshot));
        assert!(arn("arn:aws:elasticache:*:*:*", snapshot));
        assert!(arn("*", snapshot));
        assert!(!arn("arn:aws:*:snapshot:orc-*", snapshot));
        assert!(!arn("arn:aws:elasticache:*:*:snapshot:ORC-*", snapshot));
        assert!(!arn("arn:aws:s3:::bucket", "arn:aws:s3:::*"));
        assert!(!arn("arn:aws:s3:::bucket", "*"));
    }
}
