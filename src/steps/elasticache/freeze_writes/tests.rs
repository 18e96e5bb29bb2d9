//! Tests of the step kind.
