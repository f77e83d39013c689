//! Numbers of JSON by their digits. A payload may hold more of them than any type here has room for (21 digits, 1e400):
//! none is rounded, and two are compared by value as PostgreSQL compares them, so that `1`, `1.0` and `1e0` are the same.

use std::cmp::Ordering;

use serde_json::Value;

/// A number as a fraction below one and a power of ten: 0.`digits` · 10^`exponent`. Ordered by value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    /// Neither begins nor ends with a zero; empty for zero.
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Reads a number as JSON writes it; `None` for other texts.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, power) = match rest.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, power.parse::<i64>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (mantissa, ""),
        };
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) || whole.len() > 1 && whole.starts_with('0') {
            return None;
        }
        let all = format!("{whole}{fraction}");
        let significant = all.trim_start_matches('0');
        let digits = significant.trim_end_matches('0');
        if digits.is_empty() {
            return Some(Self { negative: false, digits: String::new(), exponent: 0 });
        }
        let before_point = i64::try_from(whole.len()).ok()? - i64::try_from(all.len() - significant.len()).ok()?;
        Some(Self { negative, digits: digits.to_owned(), exponent: power.checked_add(before_point)? })
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let size = self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits));
        sign(self).cmp(&sign(other)).then(if self.negative { size.reverse() } else { size })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Whether two numbers have the same value.
#[must_use]
pub fn is_same(a: &str, b: &str) -> bool {
    a == b || Decimal::parse(a).is_some_and(|a| Some(a) == Decimal::parse(b))
}

/// Whether two values of JSON are the same, their numbers compared by value.
#[must_use]
pub fn is_same_json(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => is_same(&a.to_string(), &b.to_string()),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same_json(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| is_same_json(a, b)))
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(a: &str, b: &str) -> Option<Ordering> {
        Some(Decimal::parse(a)?.cmp(&Decimal::parse(b)?))
    }

    #[test]
    fn numbers_are_compared_by_value_and_never_rounded() {
        for (a, b) in [("1", "1.0"), ("1", "1e0"), ("100", "1E2"), ("0.00120", "1.2e-3"), ("-0", "0.0"), ("10", "1e+1")]
        {
            assert!(is_same(a, b), "{a} {b}");
        }
        let ordered = [
            "-1e400",
            "-123456789012345678901",
            "-123456789012345678900",
            "-1.5",
            "-0.15",
            "0",
            "1e-400",
            "0.09",
            "0.1",
            "1",
            "9",
            "10",
            "123456789012345678900",
            "123456789012345678901",
            "1e308",
            "1e400",
            "2e400",
        ];
        for (at, a) in ordered.iter().enumerate() {
            for (other, b) in ordered.iter().enumerate() {
                assert_eq!(compare(a, b), Some(at.cmp(&other)), "{a} {b}");
            }
        }
        for text in ["", "-", ".5", "1.", "01", "1e", "NaN", "1_0", "0x1", " 1", "1e99999999999999999999"] {
            assert_eq!(compare(text, "1"), None, "{text}");
        }
        assert!(is_same("1e99999999999999999999", "1e99999999999999999999"));
    }

    proptest::proptest! {
        #[test]
        fn small_numbers_compare_as_those_of_the_machine(a: i32, b: i32, zeros in 0_usize..4, power in 0_i32..3) {
            let written = |n: i32| format!("{}.{}e{power}", n, "0".repeat(zeros + 1));
            proptest::prop_assert_eq!(compare(&written(a), &written(b)), Some(a.cmp(&b)));
            proptest::prop_assert!(is_same(&written(a), &(i64::from(a) * 10_i64.pow(power.unsigned_abs())).to_string()));
        }
    }
}
