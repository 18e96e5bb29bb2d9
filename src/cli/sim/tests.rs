//! The simulation itself: it repeats, and it sees what is broken.
