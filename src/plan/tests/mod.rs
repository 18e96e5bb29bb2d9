mod catalog;
mod compile;
mod diagnostics;
mod hostile;
mod mends;
mod pivot;
mod schema;
