//! Copies of the errors that Postgres raises below Rust code. Each copy is taken while Postgres raises the error.

use std::any::Any;
use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;

use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReportWithLevel;

use super::PRIVILEGES;
use crate::postgres::acting;

// Declared here without the guards of pgrx, because they are called while Postgres raises an error, when no other error
// may begin.
// SAFETY: the signatures are those of Postgres' elog.h, the same in 14 to 18.
unsafe extern "C-unwind" {
    fn CopyErrorData() -> *mut pg_sys::ErrorData;
    fn FreeErrorData(data: *mut pg_sys::ErrorData);
}

/// The source file of Postgres that raises the errors of constraints whose detail shows a row.
const CONSTRAINTS: &str = "execMain.c";

/// How many errors of one call are kept. A PL/pgSQL exception handler may raise and catch other errors before it raises
/// the caught error again by `RAISE`, and that `RAISE` does not call error contexts.
const KEPT: usize = 8;

/// An error context with the copies of the last errors raised below it.
#[derive(Default)]
pub struct Layer {
    seen: [Slot; KEPT],
    next: Cell<usize>,
    call: Option<Call>,
}

/// A call of a SQL-callable function.
struct Call {
    /// The path of the closure that is the function's body.
    body: &'static str,
    /// The role that the call runs as.
    user: pg_sys::Oid,
}

impl Call {
    /// Returns the name of the function.
    fn function(&self) -> Option<&'static str> {
        let name = self.body.rsplit("::").find(|part| part.starts_with("multica_"))?;
        // The name in Rust of a function whose arguments have changed ends with a version.
        name.split("_since_").next()
    }
}

type Slot = Cell<Option<Fields>>;

impl Layer {
    /// Makes the layer of a SQL-callable function. `body` is the path of the closure that is the function's body.
    pub fn of(body: &'static str) -> Self {
        // SAFETY: reads a variable of this process and changes nothing.
        let user = unsafe { pg_sys::GetUserId() };
        Self { call: Some(Call { body, user }), ..Self::default() }
    }

    /// Runs `work` below this layer.
    pub fn around<R>(&self, work: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
        // SAFETY: the context is removed from the stack before its memory is freed, after an error too, because an
        // error unwinds into `catch_unwind`.
        unsafe {
            let outer = pg_sys::error_context_stack;
            let mut context = pg_sys::ErrorContextCallback {
                previous: outer,
                callback: Some(see),
                arg: std::ptr::from_ref(self).cast_mut().cast(),
            };
            pg_sys::error_context_stack = &raw mut context;
            let outcome = catch_unwind(AssertUnwindSafe(work));
            pg_sys::error_context_stack = outer;
            outcome
        }
    }

    /// Takes the copy of the error that pgrx has caught; the newest copy, if several match.
    pub fn take(&self, caught: &ErrorReportWithLevel) -> Option<Fields> {
        self.slot_of(caught)?.take()
    }

    fn slot_of(&self, caught: &ErrorReportWithLevel) -> Option<&Slot> {
        let newest_first = (1..=KEPT).map(|age| &self.seen[(self.next.get() + KEPT - age) % KEPT]);
        newest_first.into_iter().find(|slot| {
            let fields = slot.take();
            let found = fields.as_ref().is_some_and(|fields| {
                fields.message() == caught.message() && fields.detail().as_deref() == caught.detail()
            });
            slot.set(fields);
            found
        })
    }

    /// Returns the layers that this code runs in, innermost first.
    fn all() -> impl Iterator<Item = &'static Self> {
        // SAFETY: every context on the stack is alive, and only this module pushes contexts that call `see`.
        unsafe {
            let contexts =
                std::iter::successors(pg_sys::error_context_stack.as_ref(), |context| context.previous.as_ref());
            contexts
                .filter(|it| it.callback.is_some_and(|it| it as usize == see as *const () as usize))
                .map(|it| &*it.arg.cast::<Self>())
        }
    }
}

/// Returns the name of the SQL-callable function that this code runs in, if the code runs as the function's caller and
/// this is not the owner of the tables. Returns None if the code runs as the owner, who needs no capability.
pub fn function_of_caller() -> Option<&'static str> {
    let call = Layer::all().find_map(|layer| layer.call.as_ref())?;
    // SAFETY: reads a variable of this process and changes nothing.
    let is_caller = call.user == unsafe { pg_sys::GetUserId() } && !acting::is_owner();
    call.function().filter(|_| is_caller)
}

/// Returns the name of the SQL-callable function that this code runs in, whatever role it runs as. Returns None in a
/// worker.
pub fn function() -> Option<&'static str> {
    Layer::all().find_map(|layer| layer.call.as_ref())?.function()
}

/// Adds a hint to an error that pgrx has caught and that is going to be raised again. If `statement` is given, the hint
/// is added only if that statement itself raised the error, and not, for example, a trigger that the statement fired.
pub fn add_hint(caught: &ErrorReportWithLevel, statement: Option<&str>, hint: &str) {
    let Some(slot) = Layer::all().next().and_then(|layer| layer.slot_of(caught)) else {
        return;
    };
    if let Some(mut fields) = slot.take() {
        if statement.is_none_or(|statement| fields.is_of(statement)) {
            fields.set_hint(hint);
        }
        slot.set(Some(fields));
    }
}

/// Whether an error that pgrx has caught was raised by this statement itself, and not, for example, by a trigger that the
/// statement fired.
pub fn is_raised_by(caught: &ErrorReportWithLevel, statement: &str) -> bool {
    let Some(slot) = Layer::all().next().and_then(|layer| layer.slot_of(caught)) else {
        return false;
    };
    let fields = slot.take();
    let is_of = fields.as_ref().is_some_and(|fields| fields.is_of(statement));
    slot.set(fields);
    is_of
}

/// Postgres calls this function while it raises an error, after the error contexts below the layer and before those
/// above it.
unsafe extern "C-unwind" fn see(layer: *mut c_void) {
    // SAFETY: the layer is alive while it is on the stack of contexts, and Postgres is raising an error. If there is no
    // memory for the copy, the error of that jumps over this function, in which no value has a destructor yet.
    unsafe {
        let former = pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
        let copy = CopyErrorData();
        pg_sys::MemoryContextSwitchTo(former);
        if (*copy).elevel == pg_sys::PGERROR as i32 {
            let layer = &*layer.cast::<Layer>();
            let at = layer.next.get();
            layer.next.set((at + 1) % KEPT);
            drop(layer.seen[at].replace(Some(Fields(copy))));
        } else {
            FreeErrorData(copy);
        }
    }
}

/// An error's fields, as Postgres keeps them.
pub struct Fields(*mut pg_sys::ErrorData);

impl Drop for Fields {
    fn drop(&mut self) {
        // SAFETY: the copy belongs to this value alone, in a context that exists as long as the process.
        unsafe { FreeErrorData(self.0) };
    }
}

impl Fields {
    /// Makes the fields of an error of this extension. `name` is put into the field for the name of a constraint.
    pub fn new(code: i32, message: &str, detail: Option<&str>, hint: Option<&str>, name: Option<&CStr>) -> Self {
        // SAFETY: zero is a value of every field.
        unsafe {
            let size = size_of::<pg_sys::ErrorData>();
            let data: *mut pg_sys::ErrorData = pg_sys::MemoryContextAllocZero(pg_sys::TopMemoryContext, size).cast();
            (*data).sqlerrcode = code;
            (*data).message = copy(message);
            (*data).detail = detail.map_or(null_mut(), copy);
            (*data).hint = hint.map_or(null_mut(), copy);
            (*data).constraint_name =
                name.map_or(null_mut(), |name| pg_sys::MemoryContextStrdup(pg_sys::TopMemoryContext, name.as_ptr()));
            Self(data)
        }
    }

    /// Returns the SQLSTATE as Postgres packs it. It may be a code that Postgres does not define.
    pub fn code(&self) -> i32 {
        self.data().sqlerrcode
    }

    /// Its message.
    pub fn message(&self) -> String {
        text(self.data().message).unwrap_or_default()
    }

    /// Its detail.
    pub fn detail(&self) -> Option<String> {
        text(self.data().detail)
    }

    /// Its hint.
    pub fn hint(&self) -> Option<String> {
        text(self.data().hint)
    }

    /// The part of CONTEXT that Postgres collected below the layer, innermost first.
    pub fn context(&self) -> Option<String> {
        text(self.data().context)
    }

    /// Whether Postgres raised the error because a privilege is missing.
    pub fn is_of_privileges(&self) -> bool {
        self.is_from(PRIVILEGES)
    }

    /// Whether the detail shows the values of a row, which violates a constraint.
    pub fn shows_row(&self) -> bool {
        self.is_from(CONSTRAINTS) && !self.data().detail.is_null()
    }

    /// Moves the values of a row from the detail to the server's log.
    pub fn hide_row(&mut self) {
        if self.shows_row() {
            let detail = self.detail().unwrap_or_default();
            // SAFETY: the detail is memory of this copy alone.
            unsafe {
                pg_sys::pfree(self.data().detail.cast());
                (*self.0).detail = copy("The server's log shows the row.");
            }
            self.set_detail_log(&detail);
        }
    }

    /// Whether this source file of Postgres raised the error.
    fn is_from(&self, file: &str) -> bool {
        text(self.data().filename.cast_mut()).is_some_and(|name| name.ends_with(file))
    }

    /// Whether this statement itself raised the error.
    fn is_of(&self, statement: &str) -> bool {
        self.context() == Some(format!("SQL statement \"{statement}\""))
    }

    /// Sets the hint.
    fn set_hint(&mut self, hint: &str) {
        // SAFETY: an existing hint is memory of this copy alone.
        unsafe {
            if !self.data().hint.is_null() {
                pg_sys::pfree(self.data().hint.cast());
            }
            (*self.0).hint = copy(hint);
        }
    }

    /// Sets a detail that only the server's log contains. The error must have no such detail before.
    pub fn set_detail_log(&mut self, detail: &str) {
        // SAFETY: the memory belongs to this value alone.
        unsafe { (*self.0).detail_log = copy(detail) };
    }

    /// Gives up the ownership of the memory; [`Self::free`] must free it.
    pub fn into_raw(self) -> *mut pg_sys::ErrorData {
        let data = self.0;
        std::mem::forget(self);
        data
    }

    /// Frees the memory that [`Self::into_raw`] returned.
    pub fn free(data: *mut pg_sys::ErrorData) {
        // SAFETY: as in `drop`.
        unsafe { FreeErrorData(data) };
    }

    fn data(&self) -> &pg_sys::ErrorData {
        // SAFETY: the memory exists as long as this value.
        unsafe { &*self.0 }
    }
}

fn copy(text: &str) -> *mut c_char {
    let text = CString::new(text).unwrap_or_default();
    // SAFETY: the text ends with a NUL byte.
    unsafe { pg_sys::MemoryContextStrdup(pg_sys::TopMemoryContext, text.as_ptr()) }
}

fn text(field: *const c_char) -> Option<String> {
    if field.is_null() {
        return None;
    }
    // SAFETY: Postgres ends its texts with a NUL byte.
    let text = unsafe { CStr::from_ptr(field) };
    Some(text.to_string_lossy().into_owned())
}
