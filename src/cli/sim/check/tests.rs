//! The reference sees each guarantee broken.
