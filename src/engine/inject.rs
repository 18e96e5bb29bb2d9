//! Faults put into the engine by tests: which step fails, what is done twice.

/// When an injected failure strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// After the intent is durable, before anything is changed.
    BeforeExecute,
    /// After everything is changed, before success is recorded.
    AfterExecute,
}

/// What to disturb. The default disturbs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inject {
    /// The step that fails for good, and when.
    pub fail: Option<(String, Strike)>,
    /// Carry every step out twice.
    pub execute_twice: bool,
    /// Undo every step twice.
    pub undo_twice: bool,
}

impl Inject {
    pub(super) fn strikes(&self, step: &str, strike: Strike) -> bool {
        self.fail.as_ref().is_some_and(|(id, when)| id == step && *when == strike)
    }
}
