mod schedule;
mod values;
