mod catalog;
mod compile;
mod diagnostics;
mod hostile;
mod lineage;
mod mends;
mod pivot;
mod schema;
