//! The results of the bench, and the page that shows them. The bench (`bench/`) writes both; a test checks that the
//! page agrees with the results.

pub mod goals;
mod machine;
pub mod page;
mod results;
mod views;
pub mod ways;

pub use machine::Machine;
pub use results::{Figure, Results, Server, grouped, percentile};
pub use views::{Line, VIEWS, View};
