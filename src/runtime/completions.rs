//! Where tasks of the same executor leave what they finished for the shard's loop.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Waker};

use crate::input::Input;

/// Lives: one per executor; the loop takes, tasks push.
#[derive(Debug, Clone, Default)]
pub struct Completions(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    inputs: VecDeque<Input>,
    waiting: Option<Waker>,
}

impl Completions {
    pub fn push(&self, input: Input) {
        let mut state = self.0.borrow_mut();
        state.inputs.push_back(input);
        if let Some(waker) = state.waiting.take() {
            waker.wake();
        }
    }

    pub fn take(&self) -> Option<Input> {
        self.0.borrow_mut().inputs.pop_front()
    }

    /// True if something is there; else the context is woken by the next push.
    pub fn poll_ready(&self, context: &Context<'_>) -> bool {
        let mut state = self.0.borrow_mut();
        if state.inputs.is_empty() {
            state.waiting = Some(context.waker().clone());
            return false;
        }
        true
    }
}
