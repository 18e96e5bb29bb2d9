//! GetRandomPassword. What it draws is random for nobody who knows the sandbox's seed: these passwords open nothing else.

use serde::Deserialize;
use serde_json::{Value, json};

use super::state::{SecretsManagerState, invalid};
use crate::context::Ctx;
use crate::wire::ApiError;

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const DIGITS: &str = "0123456789";
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Wish {
    password_length: Option<i64>,
    exclude_characters: String,
    exclude_numbers: bool,
    exclude_punctuation: bool,
    exclude_uppercase: bool,
    exclude_lowercase: bool,
    include_space: bool,
    require_each_included_type: Option<bool>,
}

/// Each sort that is not excluded is in it, unless the request says that it need not be (Secrets Manager API reference).
pub(super) fn password(
    state: &mut SecretsManagerState,
    ctx: &Ctx,
    wish: Wish,
) -> Result<Value, ApiError> {
    let length = wish.password_length.unwrap_or(32);
    if !(1..=4096).contains(&length) {
        return Err(invalid("PasswordLength must be between 1 and 4096."));
    }
    let upper = LOWER.to_ascii_uppercase();
    let sorts = [
        (LOWER, wish.exclude_lowercase),
        (&*upper, wish.exclude_uppercase),
        (DIGITS, wish.exclude_numbers),
        (PUNCTUATION, wish.exclude_punctuation),
        (" ", !wish.include_space),
    ];
    let left = |sort: &str| -> Vec<char> {
        sort.chars().filter(|c| !wish.exclude_characters.contains(*c)).collect()
    };
    let sorts: Vec<Vec<char>> = sorts
        .into_iter()
        .filter(|(_, excluded)| !excluded)
        .map(|(sort, _)| left(sort))
        .filter(|sort| !sort.is_empty())
        .collect();
    if sorts.is_empty() {
        return Err(invalid("No characters are left to make a password of."));
    }
    let all: Vec<char> = sorts.iter().flatten().copied().collect();
    let draw = |from: &[char]| {
        let index = u64::from_str_radix(&ctx.hex(8), 16).unwrap_or(0);
        from[usize::try_from(index).unwrap_or(0) % from.len()]
    };
    let mut password: Vec<char> = (0..length).map(|_| draw(&all)).collect();
    if wish.require_each_included_type.unwrap_or(true) {
        for (place, sort) in password.iter_mut().zip(&sorts) {
            *place = draw(sort);
        }
    }
    let password: String = password.into_iter().collect();
    state.drawn.push(password.clone());
    Ok(json!({"RandomPassword": password}))
}
