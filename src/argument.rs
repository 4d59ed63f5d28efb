//! Checks of SQL arguments. Every argument of a mutating function arrives as an `Option`, because an inferred STRICT
//! would turn a NULL into a silent no-op.

use crate::error::{Error, Result};

/// Longest span of seconds taken, about 317 years: beyond it a timestamp could leave the range that Postgres has.
const MOST_SECONDS: f64 = 1e10;

/// The value, or 22004 naming the argument.
pub fn required<T>(argument: &'static str, value: Option<T>) -> Result<T> {
    value.ok_or(Error::Null { argument })
}

/// An array without NULL elements, or 22004 naming the argument.
pub fn elements<T>(argument: &'static str, value: Option<Vec<Option<T>>>) -> Result<Vec<T>> {
    required(argument, value)?
        .into_iter()
        .map(|element| required(argument, element))
        .collect()
}

/// As [`elements`], for an argument that may be NULL as a whole.
pub fn optional_elements<T>(
    argument: &'static str,
    value: Option<Vec<Option<T>>>,
) -> Result<Option<Vec<T>>> {
    value
        .map(|given| elements(argument, Some(given)))
        .transpose()
}

/// A finite number of seconds above zero.
pub fn seconds(argument: &'static str, value: Option<f64>) -> Result<f64> {
    let value = required(argument, value)?;
    if value > 0.0 && value <= MOST_SECONDS {
        return Ok(value);
    }
    Err(Error::invalid(
        argument,
        format!("{value:?} is not a number of seconds above zero"),
        format!("Pass a finite number of seconds above 0 and at most {MOST_SECONDS:.0}."),
    ))
}

/// A finite number of seconds, zero included: a grace may be none at all.
pub fn grace(argument: &'static str, value: f64) -> Result<f64> {
    if value == 0.0 {
        Ok(0.0)
    } else {
        seconds(argument, Some(value))
    }
}

/// A bound on rows: NULL is no bound, a negative one is 22023.
pub fn bound(argument: &'static str, value: Option<i32>) -> Result<Option<i64>> {
    match value {
        Some(negative) if negative < 0 => Err(Error::invalid(
            argument,
            format!("{negative} is below zero"),
            "Pass 0 or more, or NULL for no bound.",
        )),
        other => Ok(other.map(i64::from)),
    }
}

/// One of a small set of words.
pub fn one_of(argument: &str, value: &str, allowed: &[&str]) -> Result<()> {
    if allowed.contains(&value) {
        return Ok(());
    }
    let words = allowed
        .iter()
        .map(|word| format!("'{word}'"))
        .collect::<Vec<_>>()
        .join(", ");
    Err(Error::invalid(
        argument,
        format!("'{value}' is not allowed"),
        format!("Pass one of {words}."),
    ))
}

/// A text that is not blank.
pub fn not_blank(argument: &str, value: &str) -> Result<()> {
    if value.trim().is_empty() {
        return Err(Error::invalid(
            argument,
            "it is blank",
            "Pass a text that is not blank.",
        ));
    }
    Ok(())
}
