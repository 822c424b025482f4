//! A document on its way to Bandwidth. It goes through in pieces, for it may be longer than a function
//! should hold.

use std::error::Error;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};

/// A request's body that breaks off where it gets too long.
pub(super) struct Upload {
    /// Only one thread at a time looks into it: the client wants a body that several may.
    body: Mutex<Body>,
    bytes_left: usize,
}

/// More came than was to be.
#[derive(Debug, thiserror::Error)]
#[error("the body is too long")]
pub(super) struct TooLong;

impl Upload {
    /// Refuses at once what says of itself that it is longer than `bytes_max`.
    pub(super) fn new(body: Body, bytes_max: usize) -> Result<Upload, TooLong> {
        match usize::try_from(body.size_hint().lower()) {
            Ok(bytes) if bytes <= bytes_max => {
                Ok(Upload { body: Mutex::new(body), bytes_left: bytes_max })
            }
            _ => Err(TooLong),
        }
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Upload { body, bytes_left } = &mut *self;
        let body = body.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(frame) = ready!(Pin::new(body).poll_frame(context)) else {
            return Poll::Ready(None);
        };
        let frame = frame.map_err(Box::from).and_then(|frame| {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            *bytes_left = bytes_left.checked_sub(bytes).ok_or(TooLong)?;
            Ok(frame)
        });
        Poll::Ready(Some(frame))
    }

    fn is_end_stream(&self) -> bool {
        self.body.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}
