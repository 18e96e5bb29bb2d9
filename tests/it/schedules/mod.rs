//! Schedules: a year of them against a model that shares no code with them, deaths at every await, real processes that are
//! killed, and the files that call the program.

mod deploy;
mod judge;
mod model;
mod process;
mod stage;
mod year;
