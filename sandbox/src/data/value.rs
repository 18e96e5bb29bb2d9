/// A value of one of the types the model knows. Hash fields, set members and sorted-set members are unique.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    String(Vec<u8>),
    Hash(Vec<(Vec<u8>, Vec<u8>)>),
    List(Vec<Vec<u8>>),
    Set(Vec<Vec<u8>>),
    Zset(Vec<(Vec<u8>, f64)>),
}

impl Value {
    /// As the command TYPE says it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
            Self::Hash(_) => "hash",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::Zset(_) => "zset",
        }
    }

    /// Bytes that are equal exactly when the values are: every part with its length in front, hashes, sets and sorted
    /// sets in the order of their fields and members.
    pub(crate) fn canonical(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut part = |bytes: &[u8]| {
            out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
            out.extend_from_slice(bytes);
        };
        match self {
            Self::String(value) => part(value),
            Self::List(items) => items.iter().for_each(|item| part(item)),
            Self::Set(members) => sorted(members).into_iter().for_each(|member| part(member)),
            Self::Hash(fields) => {
                for (field, value) in sorted(fields) {
                    part(field);
                    part(value);
                }
            }
            Self::Zset(members) => {
                let mut members: Vec<_> = members.iter().collect();
                members.sort_by(|a, b| a.0.cmp(&b.0));
                for (member, score) in members {
                    part(member);
                    // Redis takes -0 and 0 for the same score.
                    part(&(score + 0.0).to_bits().to_be_bytes());
                }
            }
        }
        out
    }
}

fn sorted<T: Ord>(items: &[T]) -> Vec<&T> {
    let mut items: Vec<&T> = items.iter().collect();
    items.sort();
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_ignores_order_where_the_type_has_none() {
        let set = |items: &[&str]| {
            Value::Set(items.iter().map(|item| item.as_bytes().to_vec()).collect()).canonical()
        };
        let list = |items: &[&str]| {
            Value::List(items.iter().map(|item| item.as_bytes().to_vec()).collect()).canonical()
        };
        assert_eq!(set(&["b", "a"]), set(&["a", "b"]));
        assert_ne!(list(&["b", "a"]), list(&["a", "b"]));
        assert_ne!(list(&["ab", ""]), list(&["a", "b"]));
    }
}
