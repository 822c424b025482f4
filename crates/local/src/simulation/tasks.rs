//! A little scheduler: handlers are futures, and whoever runs them decides who goes on, who stands
//! still, and who dies.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};

use jiff::{SignedDuration, Timestamp};

/// One run of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Worker {
    pub(super) id: u64,
    pub(super) role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Ingest,
    Inbox,
    Fanout,
    Deliver,
    Schedule,
    Api,
}

impl Role {
    /// How long a run may take, as in template.yaml.
    fn limit(self) -> SignedDuration {
        SignedDuration::from_secs(match self {
            Role::Ingest => 15,
            Role::Api => 29,
            Role::Inbox => 30,
            Role::Fanout | Role::Deliver | Role::Schedule => 60,
        })
    }
}

pub(super) struct Tasks<T> {
    running: Vec<Task<T>>,
    started: u64,
}

struct Task<T> {
    worker: Worker,
    dies_at: Timestamp,
    stands_until: Timestamp,
    flag: Arc<Flag>,
    future: Pin<Box<dyn Future<Output = T>>>,
}

/// Whether a task can go on.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

impl<T> Tasks<T> {
    pub(super) fn new() -> Tasks<T> {
        Tasks { running: Vec::new(), started: 0 }
    }

    pub(super) fn spawn(
        &mut self,
        role: Role,
        now: Timestamp,
        future: impl Future<Output = T> + 'static,
    ) -> Worker {
        self.started += 1;
        let worker = Worker { id: self.started, role };
        self.running.push(Task {
            worker,
            dies_at: now + role.limit(),
            stands_until: now,
            flag: Arc::new(Flag(AtomicBool::new(true))),
            future: Box::pin(future),
        });
        worker
    }

    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    pub(super) fn count(&self, role: Role) -> usize {
        self.running.iter().filter(|task| task.worker.role == role).count()
    }

    /// Those that can go on now.
    pub(super) fn ready(&self, now: Timestamp) -> Vec<Worker> {
        let ready = |task: &&Task<T>| task.flag.0.load(Relaxed) && task.stands_until <= now;
        self.running.iter().filter(ready).map(|task| task.worker).collect()
    }

    /// Those whose time is up.
    pub(super) fn overdue(&self, now: Timestamp) -> Vec<Worker> {
        self.running.iter().filter(|task| task.dies_at <= now).map(|task| task.worker).collect()
    }

    /// Goes on with one up to its next await; answers what it came to, if it is done.
    pub(super) fn poll(&mut self, worker: Worker) -> Option<T> {
        let n = self.place(worker)?;
        let task = &mut self.running[n];
        task.flag.0.store(false, Relaxed);
        let waker = Waker::from(task.flag.clone());
        match task.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => None,
            Poll::Ready(outcome) => {
                self.running.remove(n);
                Some(outcome)
            }
        }
    }

    pub(super) fn stand_still(&mut self, worker: Worker, until: Timestamp) {
        if let Some(n) = self.place(worker) {
            self.running[n].stands_until = until;
        }
    }

    /// Ends one where it is.
    pub(super) fn kill(&mut self, worker: Worker) {
        if let Some(n) = self.place(worker) {
            self.running.remove(n);
        }
    }

    fn place(&self, worker: Worker) -> Option<usize> {
        self.running.iter().position(|task| task.worker == worker)
    }
}

/// Lets others go on first.
pub(super) fn turn() -> impl Future<Output = ()> + Send + Sync {
    let mut is_first = true;
    poll_fn(move |context| {
        if std::mem::take(&mut is_first) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
}
