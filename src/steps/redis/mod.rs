//! The data itself: how to reach it, and how two stores are compared.

pub(crate) mod canary;
mod canon;
pub(crate) mod compare;
pub(crate) mod count;
mod difference;
mod foreseen;
mod model;
mod plane;
mod select;
mod show;
mod side;
mod slot;
mod walk;
mod wire;

#[cfg(test)]
mod servers;

pub use canary::Canary;
pub use model::ModelPlane;
pub use plane::{DataPlane, Entry, Part, Secret, Store, Target};
pub(super) use show::{counted, grouped};
pub use wire::Wire;
