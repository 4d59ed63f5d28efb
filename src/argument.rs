//! Checks of SQL arguments. Every argument of a mutating function arrives as an `Option`, because an inferred STRICT
//! would turn a NULL into a silent no-op.

use crate::error::{Error, Result};

/// The longest span of seconds that is accepted, about 317 years. With a longer span, a timestamp could leave the range
/// of Postgres.
const MOST_SECONDS: f64 = 1e10;

/// Returns the value, or 22004 with the name of the argument.
pub fn required<T>(argument: &'static str, value: Option<T>) -> Result<T> {
    value.ok_or(Error::Null { argument })
}

/// Returns an array without NULL elements, or 22004 with the name of the argument.
pub fn elements<T>(argument: &'static str, value: Option<Vec<Option<T>>>) -> Result<Vec<T>> {
    required(argument, value)?.into_iter().map(|element| element.ok_or(Error::NullElement { argument })).collect()
}

/// As [`elements`], for an argument that may be NULL as a whole.
pub fn optional_elements<T>(argument: &'static str, value: Option<Vec<Option<T>>>) -> Result<Option<Vec<T>>> {
    value.map(|given| elements(argument, Some(given))).transpose()
}

/// Returns a finite number of seconds above zero, or 22023.
pub fn seconds(argument: &'static str, value: Option<f64>) -> Result<f64> {
    let value = required(argument, value)?;
    if value > 0.0 && value <= MOST_SECONDS {
        return Ok(value);
    }
    Err(Error::invalid(
        argument,
        format!("{value:?} is not a finite number of seconds above 0"),
        format!("Pass a finite number of seconds above 0 and at most {MOST_SECONDS:.0}."),
    ))
}

/// As [`seconds`], but zero is allowed, because a grace may be empty.
pub fn grace(argument: &'static str, value: f64) -> Result<f64> {
    if value == 0.0 { Ok(0.0) } else { seconds(argument, Some(value)) }
}

/// Returns a limit on rows. NULL means no limit; a negative number is 22023.
pub fn bound(argument: &'static str, value: Option<i32>) -> Result<Option<i64>> {
    match value {
        Some(negative) if negative < 0 => {
            Err(Error::invalid(argument, format!("{negative} is below 0"), "Pass 0 or more, or NULL for no limit."))
        }
        other => Ok(other.map(i64::from)),
    }
}

/// Returns the beginning of a value, for a message. Messages go to the client and into the server's log and should be
/// short.
pub fn excerpt(value: &str) -> String {
    const MOST: usize = 200;
    match value.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &value[..end]),
        None => value.to_string(),
    }
}

/// Checks that a value is one of a small set of words.
pub fn one_of(argument: &str, value: &str, allowed: &[&str]) -> Result<()> {
    if allowed.contains(&value) {
        return Ok(());
    }
    let words = allowed.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ");
    Err(Error::invalid(argument, format!("'{}' is not a valid value", excerpt(value)), format!("Pass one of {words}.")))
}

/// Maximum number of bytes of a text that is part of an index key. A key of two such texts and an id still fits into an
/// index page, even if it cannot be compressed.
const MOST_OF_KEY: usize = 1000;

/// Checks that a text is not blank and fits into an index key.
pub fn key(argument: &str, value: &str) -> Result<()> {
    not_blank(argument, value)?;
    fits_key(argument, value)
}

/// Checks that a text fits into an index key.
pub fn fits_key(argument: &str, value: &str) -> Result<()> {
    if value.len() > MOST_OF_KEY {
        return Err(Error::invalid(
            argument,
            format!("must have at most {MOST_OF_KEY} bytes, but has {}", value.len()),
            format!("Pass a text of at most {MOST_OF_KEY} bytes."),
        ));
    }
    Ok(())
}

/// Checks that a text is not blank.
pub fn not_blank(argument: &str, value: &str) -> Result<()> {
    if value.trim().is_empty() {
        return Err(Error::invalid(argument, "must not be blank", "Pass a text that is not blank."));
    }
    Ok(())
}

#[cfg(any(test, feature = "pg_test"))]
#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use super::*;

    #[pg_test]
    fn seconds_that_make_no_span_are_refused() {
        for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -0.0, 0.0, 1e300, 1.1e10] {
            assert!(seconds("s", Some(wrong)).is_err(), "{wrong} is taken");
        }
        assert!(seconds("s", None).is_err());
        for right in [f64::MIN_POSITIVE, 45.0, 1e10] {
            assert_eq!(seconds("s", Some(right)).unwrap(), right);
        }
    }

    #[pg_test]
    fn grace_of_nothing_is_a_grace() {
        assert_eq!(grace("g", -0.0).unwrap(), 0.0);
        assert!(grace("g", -1e-9).is_err());
        assert!(grace("g", f64::NAN).is_err());
    }

    #[pg_test]
    fn bound_below_zero_is_refused_and_none_is_none() {
        assert!(bound("b", Some(-1)).is_err());
        assert_eq!(bound("b", Some(0)).unwrap(), Some(0));
        assert_eq!(bound("b", None).unwrap(), None);
    }

    #[pg_test]
    fn null_in_an_array_is_not_passed_over() {
        assert!(elements("e", Some(vec![Some(1), None])).is_err());
        assert!(elements::<i32>("e", None).is_err());
        assert!(optional_elements("e", Some(vec![None::<i32>])).is_err());
        assert_eq!(optional_elements::<i32>("e", None).unwrap(), None);
        assert_eq!(elements("e", Some(vec![Some(1)])).unwrap(), [1]);
    }

    #[pg_test]
    fn word_outside_its_set_names_the_words_inside() {
        let error = one_of("mode", "Local", &["local", "cloud"]).unwrap_err();
        let Error::Invalid { argument, hint, .. } = error else { panic!("{error:?}") };
        assert_eq!(argument, "mode");
        assert_eq!(hint, "Pass one of 'local', 'cloud'.");
        assert!(not_blank("n", " \t\n").is_err());
    }
}
