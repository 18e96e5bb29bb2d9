//! Answers kept by key, each asked for once, also by those who come while it is being fetched.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use futures::future::{FutureExt, LocalBoxFuture, Shared};

use crate::engine::Failure;

type Answer<T> = Shared<LocalBoxFuture<'static, Result<Rc<T>, Failure>>>;

/// Answers of one sort.
pub(super) struct Memo<T> {
    answers: RefCell<BTreeMap<String, Answer<T>>>,
}

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self { answers: RefCell::default() }
    }
}

impl<T: 'static> Memo<T> {
    /// The answer for `key`; `ask` is called if nobody has asked yet.
    pub(super) async fn get<F>(&self, key: &str, ask: impl FnOnce() -> F) -> Result<Rc<T>, Failure>
    where
        F: Future<Output = Result<T, Failure>> + 'static,
    {
        let known = self.answers.borrow().get(key).cloned();
        let answer = known.unwrap_or_else(|| {
            let answer = ask().map(|answer| answer.map(Rc::new)).boxed_local().shared();
            self.answers.borrow_mut().insert(key.to_owned(), answer.clone());
            answer
        });
        answer.await
    }

    /// Forgets every answer.
    pub(super) fn clear(&self) {
        self.answers.borrow_mut().clear();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn each_key_is_asked_for_once_until_it_is_forgotten() {
        let memo = Memo::<u32>::default();
        let asked = Rc::new(Cell::new(0));
        let ask = || {
            let asked = Rc::clone(&asked);
            move || async move {
                asked.set(asked.get() + 1);
                tokio::task::yield_now().await;
                Ok(asked.get())
            }
        };
        let (one, two) = futures::join!(memo.get("a", ask()), memo.get("a", ask()));
        assert_eq!((*one.unwrap(), *two.unwrap(), asked.get()), (1, 1, 1));
        assert_eq!(*memo.get("b", ask()).await.unwrap(), 2);
        memo.clear();
        assert_eq!(*memo.get("a", ask()).await.unwrap(), 3);
    }
}
