//! Every check in its failing and its passing form, and what comes when the plan is ignored.

mod target;
