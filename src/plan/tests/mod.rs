mod catalog;
mod compile;
mod diagnostics;
mod hostile;
mod pivot;
mod schema;
