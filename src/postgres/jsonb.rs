//! jsonb arguments in the form that Postgres uses. They are not converted to a parsed value, because that cannot
//! represent every number of jsonb.

use std::ffi::CStr;

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::impl_sql_translatable;
use pgrx::prelude::*;
use pgrx::{FromDatum, IntoDatum, direct_function_call, direct_function_call_as_datum};

/// A jsonb value, bound to statements exactly as the caller passed it.
#[derive(Clone, Copy)]
pub struct Jsonb(pg_sys::Datum);

impl_sql_translatable!(Jsonb, "jsonb");

impl Jsonb {
    /// Converts a JSON text that the library itself wrote.
    pub fn read(text: &str) -> Self {
        let text = std::ffi::CString::new(text).expect("JSON text holds no NUL byte");
        // SAFETY: jsonb_in takes one C string, which outlives the call.
        let datum = unsafe { direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(text.as_ptr().into())]) };
        Self(datum.expect("jsonb_in returns a value"))
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        self.text().starts_with('{')
    }

    /// Returns the JSON text, to be parsed into a typed struct.
    pub fn text(&self) -> String {
        // SAFETY: jsonb_out takes one jsonb and returns a C string in the current memory context.
        let text: Option<&CStr> = unsafe { direct_function_call(pg_sys::jsonb_out, &[Some(self.0)]) };
        text.map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

impl FromDatum for Jsonb {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _type: pg_sys::Oid) -> Option<Self> {
        (!is_null).then_some(Self(datum))
    }
}

impl IntoDatum for Jsonb {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        Some(self.0)
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

// SAFETY: the argument is read by the implementation of FromDatum for its own type.
unsafe impl<'fcx> ArgAbi<'fcx> for Jsonb {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: as above.
        unsafe { arg.unbox_arg_using_from_datum().expect("a NULL is an Option") }
    }
}
