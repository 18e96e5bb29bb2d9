//! What every place that keeps runs must do, asked of each: a directory, memory, S3.

mod leases;
mod places;
mod remote;
mod suite;
