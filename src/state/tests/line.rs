//! Objects that are reached over a line on which things happen.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;

use crate::engine::{Class, Clock, Failure};
use crate::state::{Expect, Found, MemoryObjects, Objects, Put};

/// More calls than anybody makes who gives up at some time.
const ENOUGH: u32 = 1_000;

/// What becomes of a write.
pub(super) enum Happens {
    /// It arrives.
    Arrives,
    /// It does not, and that is what the caller hears.
    Fails(Class),
    /// It arrives, and its answer is lost.
    AnswerLost,
    /// Somebody else does this first.
    After(Box<dyn FnOnce(&MemoryObjects)>),
    /// It fails, and somebody else does this meanwhile.
    FailsAfter(Class, Box<dyn FnOnce(&MemoryObjects)>),
}

/// The line. Without anything told it is a good one.
pub(super) struct Line {
    pub(super) inner: Rc<MemoryObjects>,
    clock: Clock,
    /// For the next writes, one each.
    pub(super) puts: RefCell<VecDeque<Happens>>,
    /// What every read and write fails with.
    pub(super) dead: Cell<Option<Class>>,
    /// Every write comes second.
    pub(super) refuses: Cell<bool>,
    /// How long a write takes.
    pub(super) takes: Cell<Duration>,
    /// The place tells no age.
    pub(super) ageless: Cell<bool>,
    pub(super) gets: Cell<u32>,
    pub(super) written: Cell<u32>,
}

impl Line {
    pub(super) fn to(inner: Rc<MemoryObjects>, clock: &Clock) -> Rc<Self> {
        Rc::new(Self {
            inner,
            clock: clock.clone(),
            puts: RefCell::default(),
            dead: Cell::default(),
            refuses: Cell::default(),
            takes: Cell::default(),
            ageless: Cell::default(),
            gets: Cell::default(),
            written: Cell::default(),
        })
    }

    pub(super) fn next(&self, happens: Happens) {
        self.puts.borrow_mut().push_back(happens);
    }

    fn count(counter: &Cell<u32>) {
        counter.set(counter.get() + 1);
        assert!(counter.get() < ENOUGH, "it is tried without end");
    }

    fn alive(&self) -> Result<(), Failure> {
        self.dead.get().map_or(Ok(()), |class| Err(failure(class)))
    }
}

pub(super) fn failure(class: Class) -> Failure {
    Failure::new(class, "no answer over this line")
}

#[async_trait(?Send)]
impl Objects for Line {
    fn place(&self, key: &str) -> String {
        self.inner.place(key)
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, Failure> {
        Self::count(&self.gets);
        self.alive()?;
        let found = self.inner.get(key).await?;
        let age = |found: Found| Found { age: found.age.filter(|_| !self.ageless.get()), ..found };
        Ok(found.map(age))
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, expect: Expect) -> Result<Put, Failure> {
        Self::count(&self.written);
        if !self.takes.get().is_zero() {
            self.clock.sleep(self.takes.get()).await;
        }
        self.alive()?;
        if self.refuses.get() {
            return Ok(Put::Refused);
        }
        let happens = self.puts.borrow_mut().pop_front().unwrap_or(Happens::Arrives);
        match happens {
            Happens::Arrives => {}
            Happens::Fails(class) => return Err(failure(class)),
            Happens::AnswerLost => {
                self.inner.put(key, bytes, expect).await?;
                return Err(failure(Class::Ambiguous));
            }
            Happens::After(other) => other(&self.inner),
            Happens::FailsAfter(class, other) => {
                other(&self.inner);
                return Err(failure(class));
            }
        }
        self.inner.put(key, bytes, expect).await
    }

    async fn list(&self, prefix: &str, delimiter: Option<char>) -> Result<Vec<String>, Failure> {
        self.alive()?;
        self.inner.list(prefix, delimiter).await
    }
}
