//! Amounts and quantities as whole millionths: sums are exact, and a product is rounded once.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Neg, Sub};
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};
use thiserror::Error;

const ONE: i128 = 1_000_000;
/// Longer numbers are no price and no size of anything.
const MOST_DIGITS: usize = 12;
const DECIMALS: usize = 6;

/// An amount of the price file's currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(i128);

/// So many of a unit: hours, gigabytes, requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(i128);

/// Why a text is not a decimal number.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "\"{0}\" is not a number from 0 up with a point and at most six digits after it, such as 0.437"
)]
pub struct NotADecimal(String);

fn millionths(text: &str) -> Result<i128, NotADecimal> {
    let wrong = || NotADecimal(text.chars().take(40).collect());
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let fits = !whole.is_empty() && whole.len() <= MOST_DIGITS && part.len() <= DECIMALS;
    if !fits || !digits(whole) || !digits(part) || text.ends_with('.') {
        return Err(wrong());
    }
    format!("{whole}{part:0<DECIMALS$}").parse().map_err(|_| wrong())
}

/// Half a millionth is rounded away from nought.
fn divided(value: i128, by: i128) -> i128 {
    let half = by / 2;
    if value < 0 { (value - half) / by } else { (value + half) / by }
}

fn grouped(whole: u128) -> String {
    let digits = whole.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// All digits that are not trailing noughts, and at least `least` after the point.
fn exact(value: i128, least: usize, commas: bool) -> String {
    let (whole, part) = (value.unsigned_abs() / ONE as u128, value.unsigned_abs() % ONE as u128);
    let mut part = format!("{part:0>DECIMALS$}");
    while part.len() > least && part.ends_with('0') {
        part.pop();
    }
    let sign = if value < 0 { "-" } else { "" };
    let whole = if commas { grouped(whole) } else { whole.to_string() };
    if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many millionths.
    #[must_use]
    pub const fn from_millionths(value: i128) -> Self {
        Self(value)
    }

    /// So many whole units.
    #[must_use]
    pub const fn whole(value: i64) -> Self {
        Self(value as i128 * ONE)
    }

    /// The millionths.
    #[must_use]
    pub const fn millionths(self) -> i128 {
        self.0
    }

    /// What `quantity` costs where `per` units cost this.
    #[must_use]
    pub fn times(self, quantity: Quantity, per: u32) -> Self {
        Self(divided(self.0 * quantity.0, ONE * i128::from(per.max(1))))
    }

    /// So many per cent of it.
    #[must_use]
    pub fn percent(self, percent: Quantity) -> Self {
        self.times(percent, 100)
    }

    /// An even share of it.
    #[must_use]
    pub fn shared(self, between: u32) -> Self {
        Self(divided(self.0, i128::from(between.max(1))))
    }

    /// How much this is of `whole`, in tenths of a per cent.
    #[must_use]
    pub fn tenths_of_percent(self, whole: Self) -> Option<i64> {
        (whole.0 > 0).then(|| divided(self.0 * 1_000, whole.0)).and_then(|v| i64::try_from(v).ok())
    }

    /// How often `other` fits into it, to a hundredth, rounded up: "more than" this often.
    #[must_use]
    pub fn fits(self, other: Self) -> Option<Quantity> {
        let hundredths = (other.0 > 0).then(|| (self.0.max(0) * 100 + other.0 - 1) / other.0)?;
        Some(Quantity(hundredths * (ONE / 100)))
    }

    /// What one of `quantity` has of it, rounded up; nothing if there is none of them.
    #[must_use]
    pub fn over(self, quantity: Quantity) -> Self {
        if quantity.0 == 0 {
            return Self::ZERO;
        }
        Self((self.0 * ONE + quantity.0 - 1) / quantity.0)
    }

    /// To the cent, with commas: "2,871.09".
    #[must_use]
    pub fn cents(self) -> String {
        exact(divided(self.0, 10_000) * 10_000, 2, true)
    }

    /// To the cent, with a sign in any case: "+413.44".
    #[must_use]
    pub fn signed_cents(self) -> String {
        let cents = self.cents();
        if cents.starts_with('-') { cents } else { format!("+{cents}") }
    }
}

impl Quantity {
    /// None.
    pub const ZERO: Self = Self(0);

    /// So many whole ones.
    #[must_use]
    pub const fn whole(value: u64) -> Self {
        Self(value as i128 * ONE)
    }

    /// `part` of `of`, rounded up to a millionth.
    #[must_use]
    pub fn ratio(part: u64, of: u64) -> Self {
        let of = i128::from(of.max(1));
        Self((i128::from(part) * ONE + of - 1) / of)
    }

    /// So many times as many.
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        Self(divided(self.0 * other.0, ONE))
    }

    /// What is left after `other` is taken away; none if it is more.
    #[must_use]
    pub fn beyond(self, other: Self) -> Self {
        Self((self.0 - other.0).max(0))
    }

    /// An even share of it.
    #[must_use]
    pub fn shared(self, between: u32) -> Self {
        Self(divided(self.0, i128::from(between.max(1))))
    }

    /// Whether it is none.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// With commas, without trailing noughts: "6,570".
    #[must_use]
    pub fn words(self) -> String {
        exact(self.0, 0, true)
    }

    /// As `words`, to the hundredth.
    #[must_use]
    pub fn short(self) -> String {
        exact(divided(self.0, 10_000) * 10_000, 0, true)
    }
}

/// Bytes as gigabytes of 2^30 bytes, in which AWS bills storage.
#[must_use]
pub fn gigabytes(bytes: u64) -> Quantity {
    Quantity::ratio(bytes, 1 << 30)
}

impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Money {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Neg for Money {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&exact(self.0, 2, false))
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&exact(self.0, 0, false))
    }
}

macro_rules! decimal {
    ($type:ident) => {
        impl FromStr for $type {
            type Err = NotADecimal;
            fn from_str(text: &str) -> Result<Self, NotADecimal> {
                millionths(text).map(Self)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        // A number of JSON is read as binary floating point by most programs; text keeps every digit.
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    };
}
decimal!(Money);
decimal!(Quantity);
