//! What the bench has measured, and the page that shows it. The bench (`bench/`) writes both; a test checks that the
//! page shows what was measured.

pub mod goals;
mod machine;
pub mod page;
mod results;
mod views;
pub mod ways;

pub use machine::Machine;
pub use results::{Figure, Results, Server, grouped, percentile};
pub use views::{Line, VIEWS, View};
