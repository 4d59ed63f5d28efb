//! jsonb arguments in the form that Postgres uses. They are not converted to a parsed value, because that cannot
//! represent every number of jsonb.

use std::ffi::CStr;

use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::Datum;
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

    /// Returns the value at a key; None if there is none, or if this is no object.
    pub fn field(&self, key: &str) -> Option<Self> {
        // SAFETY: jsonb_object_field takes one jsonb and one text, and returns one jsonb or NULL.
        let value =
            unsafe { direct_function_call_as_datum(pg_sys::jsonb_object_field, &[Some(self.0), key.into_datum()]) };
        value.map(Self)
    }

    /// Returns the value if it is a text of at most `most` bytes. A longer value is not read.
    pub fn short_text(&self, most: usize) -> Option<String> {
        /// Bytes of a jsonb that is one text, besides the text.
        const HEADER: usize = 64;
        // SAFETY: the datum is a jsonb, whose size this reads from its header, also where it is compressed.
        if unsafe { pg_sys::toast_raw_datum_size(self.0) } > most + HEADER {
            return None;
        }
        let text: String = serde_json::from_str(&self.text()).ok()?;
        (text.len() <= most).then_some(text)
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

// SAFETY: the datum is a jsonb.
unsafe impl BoxRet for Jsonb {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        // SAFETY: as above.
        unsafe { fcinfo.return_raw_datum(self.0) }
    }
}

// SAFETY: the argument is read by the implementation of FromDatum for its own type.
unsafe impl<'fcx> ArgAbi<'fcx> for Jsonb {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: as above.
        unsafe { arg.unbox_arg_using_from_datum().expect("a NULL is an Option") }
    }
}
