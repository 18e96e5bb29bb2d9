//! The rules for names that ElastiCache and MemoryDB share.

/// The name as both services store it, or why it is none: a letter first, then letters, digits and single hyphens, none
/// at the end (ElastiCache user guide, manual backups; the MemoryDB provider checks the same).
pub(crate) fn folded(what: &str, name: &str, max: usize) -> Result<String, String> {
    let well_formed = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !name.contains("--")
        && !name.ends_with('-')
        && name.len() <= max;
    if well_formed {
        return Ok(name.to_ascii_lowercase());
    }
    Err(format!(
        "The parameter {what} is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII \
         letters, digits, and hyphens; must not end with a hyphen or contain two consecutive hyphens; and must have at \
         most {max} characters."
    ))
}

/// Slot ranges as the services write them: `0-5461,9000-9001`.
pub(crate) fn slots(ranges: &[(u16, u16)]) -> String {
    let text: Vec<String> = ranges.iter().map(|(first, last)| format!("{first}-{last}")).collect();
    text.join(",")
}

/// A page of `all`: the items from the marker on and the marker of the next page. Markers are opaque to callers.
pub(crate) fn page<T>(
    all: Vec<T>,
    marker: Option<&str>,
    size: usize,
) -> Option<(Vec<T>, Option<String>)> {
    let start = match marker {
        None => 0,
        Some(marker) => marker.strip_prefix("page-")?.parse::<usize>().ok()?,
    };
    let next = (start + size < all.len()).then(|| format!("page-{}", start + size));
    Some((all.into_iter().skip(start).take(size).collect(), next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fold_to_lower_case_and_bad_ones_are_refused() {
        assert_eq!(folded("Name", "My-Backup1", 40).unwrap(), "my-backup1");
        for bad in ["", "1a", "a--b", "a-", "a_b", "a.b", &"a".repeat(41)] {
            assert!(folded("Name", bad, 40).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn pages_cover_everything_once() {
        let (first, next) = page((0..45).collect::<Vec<_>>(), None, 20).unwrap();
        let (second, then) = page((0..45).collect(), next.as_deref(), 20).unwrap();
        let (third, end) = page((0..45).collect(), then.as_deref(), 20).unwrap();
        assert_eq!([first, second, third].concat(), (0..45).collect::<Vec<_>>());
        assert_eq!(end, None);
        assert!(page(vec![1], Some("made up"), 20).is_none());
    }
}
