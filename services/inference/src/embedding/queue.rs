//! Texts that wait to be embedded. A batch takes from every waiting request in turn, so that a large one holds no small
//! one up.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use super::bert::Tokens;

type Vector = Arc<[f32]>;
type Reply = oneshot::Sender<Result<Vec<Vector>, String>>;

/// The texts of one caller.
pub struct Request {
    texts: Vec<Tokens>,
    vectors: Vec<Vector>,
    reply: Reply,
}

/// Texts of several requests that are computed together.
pub struct Batch(Vec<(Request, usize)>);

#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Request>,
    closed: bool,
}

impl Request {
    pub fn new(texts: Vec<Tokens>, reply: Reply) -> Self {
        Self { vectors: Vec::with_capacity(texts.len()), texts, reply }
    }

    fn left(&self) -> &[Tokens] {
        &self.texts[self.vectors.len()..]
    }
}

impl Queue {
    /// Adds a request; after [`close`](Self::close) it is dropped.
    pub fn push(&self, request: Request) {
        let mut state = self.lock();
        if !state.closed {
            state.waiting.push_back(request);
            self.arrived.notify_one();
        }
    }

    /// Nothing is taken or handed out any more.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.waiting.clear();
        self.arrived.notify_one();
    }

    /// Waits for texts and takes up to `most` of them, at least one of each request as far as they go. `None` at the end.
    pub fn next(&self, most: usize) -> Option<Batch> {
        let mut state = self.lock();
        loop {
            // Callers that have left want no vectors.
            state.waiting.retain(|request| !request.reply.is_closed());
            if state.closed {
                return None;
            }
            if !state.waiting.is_empty() && most > 0 {
                break;
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let count = state.waiting.len().min(most);
        let taken: Vec<Request> = state.waiting.drain(..count).collect();
        let mut left = most;
        let mut batch = Vec::with_capacity(count);
        for (index, request) in taken.into_iter().enumerate() {
            let share = request.left().len().min(left / (count - index));
            left -= share;
            batch.push((request, share));
        }
        Some(Batch(batch))
    }

    /// Computes a batch; requests that are complete are answered, the others go to the end of the queue.
    pub fn answer(&self, batch: Batch, embed: impl FnOnce(&[&Tokens]) -> Result<Vec<Vector>, String>) {
        let texts: Vec<&Tokens> = batch.0.iter().flat_map(|(request, share)| &request.left()[..*share]).collect();
        let mut vectors = match embed(&texts) {
            Ok(vectors) => vectors.into_iter(),
            Err(error) => {
                tracing::error!(error.chain = error, "A batch of texts could not be embedded");
                for (request, _) in batch.0 {
                    let _ = request.reply.send(Err(error.clone()));
                }
                return;
            }
        };
        for (mut request, share) in batch.0 {
            request.vectors.extend(vectors.by_ref().take(share));
            if request.left().is_empty() {
                let _ = request.reply.send(Ok(request.vectors));
            } else {
                self.push(request);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(ids: impl IntoIterator<Item = u32>) -> (Request, oneshot::Receiver<Result<Vec<Vector>, String>>) {
        let (reply, answer) = oneshot::channel();
        let texts = ids.into_iter().map(|id| Tokens { ids: vec![id], cut: 0 }).collect();
        (Request::new(texts, reply), answer)
    }

    /// Computes one batch and tells the ids in it.
    #[expect(clippy::cast_precision_loss, reason = "the ids of these tests are small")]
    fn step(queue: &Queue, most: usize) -> Vec<u32> {
        let mut seen = Vec::new();
        let batch = queue.next(most).unwrap();
        queue.answer(batch, |texts| {
            seen = texts.iter().map(|tokens| tokens.ids[0]).collect();
            Ok(seen.iter().map(|id| Arc::from([*id as f32])).collect())
        });
        seen
    }

    #[test]
    fn a_large_request_does_not_hold_up_a_small_one_and_keeps_its_order() {
        let queue = Queue::default();
        let (large, mut large_answer) = request(0..10);
        let (small, mut small_answer) = request([100]);
        queue.push(large);
        queue.push(small);
        assert_eq!(step(&queue, 4), [0, 1, 100]);
        assert_eq!(small_answer.try_recv().unwrap().unwrap().len(), 1);
        assert_eq!(step(&queue, 4), [2, 3, 4, 5]);
        assert_eq!(step(&queue, 4), [6, 7, 8, 9]);
        let vectors = large_answer.try_recv().unwrap().unwrap();
        assert_eq!(vectors.iter().map(|v| v[0]).collect::<Vec<_>>(), (0..10_u8).map(f32::from).collect::<Vec<_>>());
    }

    #[test]
    fn more_requests_than_a_batch_holds_take_turns() {
        let queue = Queue::default();
        let answers: Vec<_> = (0..5)
            .map(|id| {
                let (request, answer) = request([id, id + 10]);
                queue.push(request);
                answer
            })
            .collect();
        assert_eq!(step(&queue, 3), [0, 1, 2]);
        assert_eq!(step(&queue, 3), [3, 4, 10]);
        drop(answers);
    }

    #[test]
    fn nobody_computes_for_a_caller_who_left() {
        let queue = Queue::default();
        let (gone, answer) = request([1, 2, 3]);
        let (there, _answer) = request([4]);
        queue.push(gone);
        queue.push(there);
        drop(answer);
        assert_eq!(step(&queue, 4), [4]);
    }

    #[test]
    fn a_failure_reaches_every_request_of_the_batch_and_the_end_ends_waiting() {
        let queue = Queue::default();
        let (one, mut answer) = request([1]);
        queue.push(one);
        let batch = queue.next(4).unwrap();
        queue.answer(batch, |_| Err("broken".into()));
        assert_eq!(answer.try_recv().unwrap(), Err("broken".to_owned()));
        queue.close();
        assert!(queue.next(4).is_none());
        let (late, mut answer) = request([1]);
        queue.push(late);
        assert!(answer.try_recv().is_err(), "dropped, not kept for ever");
    }
}
