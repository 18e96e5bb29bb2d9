//! The data itself: how to reach it, and how two stores are compared.

mod plane;

pub use plane::{DataPlane, Entry, Secret, Store, Target};
