//! Streamed answers: made by a blocking job, taken by a connection, with back-pressure between.
//!
//! The job writes frames; about every 64 KiB they are compressed and handed over. The channel
//! holds few such chunks, so a slow reader holds up its own job, for a bounded time, and costs
//! bounded memory. An answer that fails midway breaks its connection: nobody takes it for whole.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_core::Stream;
use minicbor::Encode;
use outrider_core::sync::codec::FrameWriter;
use tokio::{
    runtime::Handle,
    sync::mpsc::{self, Receiver, Sender},
    time::{Instant, timeout_at},
};

use crate::{
    body::CONTENT_TYPE,
    config::millis,
    error::AppError,
    feed::{FeedError, Stopped},
    state::AppState,
    storage::Storage,
};

/// Bytes of frames that are compressed and handed over together, about.
const CHUNK_BYTES: u64 = 64 * 1024;
/// Chunks that wait for the connection, at most.
const CHUNKS_WAITING_MAX: usize = 4;

/// What a job hands over.
enum Piece {
    Bytes(Bytes),
    /// The answer is whole.
    End,
    Failed(AppError),
}

/// Takes the frames of one answer.
pub(crate) struct Frames {
    writer: FrameWriter<Vec<u8>>,
    handed_over_bytes: u64,
    sender: Sender<Piece>,
    runtime: Handle,
    deadline: Instant,
    pause: Duration,
}

impl Frames {
    /// Writes one frame; waits while the reader is slow.
    pub(crate) fn write<T: Encode<()>>(&mut self, frame: &T) -> Result<(), Stopped> {
        // A frame that is too large is a bug of the job; the answer ends without its end.
        self.writer.write(frame).map_err(|_| Stopped)?;
        if self.writer.written_bytes() - self.handed_over_bytes >= CHUNK_BYTES {
            self.handed_over_bytes = self.writer.written_bytes();
            self.writer.flush().map_err(|_| Stopped)?;
            let chunk = std::mem::take(self.writer.inner());
            self.hand_over(Piece::Bytes(chunk.into()))?;
        }
        Ok(())
    }

    fn hand_over(&self, piece: Piece) -> Result<(), Stopped> {
        hand_over(&self.runtime, &self.sender, piece, self.deadline, self.pause)
    }

    fn finish(self) -> Result<(), Stopped> {
        let rest = self.writer.finish().map_err(|_| Stopped)?;
        let give = |piece| hand_over(&self.runtime, &self.sender, piece, self.deadline, self.pause);
        give(Piece::Bytes(rest.into()))?;
        give(Piece::End)
    }
}

fn hand_over(
    runtime: &Handle,
    sender: &Sender<Piece>,
    piece: Piece,
    deadline: Instant,
    pause: Duration,
) -> Result<(), Stopped> {
    let patience = deadline.min(Instant::now() + pause);
    match runtime.block_on(timeout_at(patience, sender.send(piece))) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Stopped),
    }
}

/// Takes the bytes of one answer as they are: a file that is made while it is sent.
pub(crate) struct Pipe {
    buffer: Vec<u8>,
    sender: Sender<Piece>,
    runtime: Handle,
    deadline: Instant,
    pause: Duration,
}

impl Pipe {
    fn hand_over(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = Piece::Bytes(std::mem::take(&mut self.buffer).into());
        hand_over(&self.runtime, &self.sender, piece, self.deadline, self.pause)
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl io::Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() as u64 >= CHUNK_BYTES {
            self.hand_over()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.hand_over()
    }
}

/// Answers with the file that `job` writes and flushes.
///
/// What fails before the first chunk becomes a proper error; what fails later breaks the
/// connection.
pub(crate) async fn stream_file(
    state: &AppState,
    media_type: &'static str,
    file_name: &str,
    job: impl FnOnce(&dyn Storage, Pipe) -> Result<(), AppError> + Send + 'static,
) -> Result<Response, AppError> {
    let name = HeaderValue::from_str(&format!("attachment; filename=\"{file_name}\""))
        .map_err(|_| AppError::Internal("a file had a name that is none"))?;
    let turn = state.stream_turn().await?;
    let (sender, mut receiver) = mpsc::channel(CHUNKS_WAITING_MAX);
    let network = &state.config.network;
    let (deadline, pause) =
        (Instant::now() + millis(network.answer_timeout_ms), millis(network.reader_pause_ms));
    let runtime = Handle::current();
    let pipe = Pipe {
        buffer: Vec::new(),
        sender: sender.clone(),
        runtime: runtime.clone(),
        deadline,
        pause,
    };
    let storage = std::sync::Arc::clone(&state.storage);
    let span = tracing::Span::current();
    tokio::task::spawn_blocking(move || {
        let _turn = turn;
        span.in_scope(|| {
            let last = match job(storage.as_ref(), pipe) {
                Ok(()) => Piece::End,
                Err(error) => Piece::Failed(error),
            };
            let _ = hand_over(&runtime, &sender, last, deadline, pause);
        });
    });
    let first = match receiver.recv().await {
        Some(Piece::Bytes(bytes)) => bytes,
        Some(Piece::Failed(error)) => return Err(error),
        Some(Piece::End) | None => return Err(AppError::Internal("an answer had no beginning")),
    };
    let body = Body::from_stream(Pieces { first: Some(first), receiver, is_ended: false });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CONTENT_DISPOSITION, name),
        // What a browser makes of it is for whoever opens the file.
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, body).into_response())
}

/// Answers with the frames that `job` writes.
///
/// What fails before the first chunk becomes a proper error.
pub(crate) async fn stream(
    state: &AppState,
    job: impl FnOnce(&dyn Storage, &mut Frames) -> Result<(), FeedError> + Send + 'static,
) -> Result<Response, AppError> {
    let turn = state.stream_turn().await?;
    let (sender, mut receiver) = mpsc::channel(CHUNKS_WAITING_MAX);
    let network = &state.config.network;
    let mut frames = Frames {
        writer: FrameWriter::new(Vec::new())
            .map_err(|_| AppError::Internal("the compressor did not start"))?,
        handed_over_bytes: 0,
        sender: sender.clone(),
        runtime: Handle::current(),
        deadline: Instant::now() + millis(network.answer_timeout_ms),
        pause: millis(network.reader_pause_ms),
    };
    let storage = std::sync::Arc::clone(&state.storage);
    let span = tracing::Span::current();
    tokio::task::spawn_blocking(move || {
        let _turn = turn;
        span.in_scope(|| match job(storage.as_ref(), &mut frames) {
            Ok(()) => {
                let _ = frames.finish();
            }
            Err(FeedError::Stopped(_)) => tracing::debug!("a reader went away"),
            Err(FeedError::Storage(error)) => {
                let _ = frames.hand_over(Piece::Failed(AppError::Storage(error)));
            }
        });
    });
    drop(sender);
    let first = match receiver.recv().await {
        Some(Piece::Bytes(bytes)) => bytes,
        Some(Piece::Failed(error)) => return Err(error),
        Some(Piece::End) | None => return Err(AppError::Internal("an answer had no beginning")),
    };
    let body = Body::from_stream(Pieces { first: Some(first), receiver, is_ended: false });
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response())
}

/// The pieces as a body.
struct Pieces {
    first: Option<Bytes>,
    receiver: Receiver<Piece>,
    is_ended: bool,
}

impl Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if self.is_ended {
            return Poll::Ready(None);
        }
        self.receiver.poll_recv(cx).map(|piece| match piece {
            Some(Piece::Bytes(bytes)) => Some(Ok(bytes)),
            Some(Piece::End) => {
                self.is_ended = true;
                None
            }
            Some(Piece::Failed(error)) => {
                self.is_ended = true;
                error.log();
                Some(Err(io::Error::other("the answer failed")))
            }
            None => {
                self.is_ended = true;
                Some(Err(io::Error::other("the answer ended early")))
            }
        })
    }
}
