//! Reads a body within bounds of memory and time.

use super::arriving_bodies::{ArrivingBody, MemoryPermit};
use super::limits::ServerLimits;
use super::timers::Timer;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;
use std::fmt::Display;
use std::time::Duration;
use tokio::time::Instant;

/// Why a body was not read to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// The body or its declared length is longer than allowed.
    TooLarge,
    /// Other bodies use up the memory for all bodies.
    NoMemory,
    /// The body arrives more slowly than allowed.
    TooSlow,
    /// The time for the whole review is over.
    Late,
    /// A newer body took its place or its memory.
    Evicted,
    /// The client broke it off; the text is the protocol error.
    Broken(String),
}

/// Bounds of one body.
#[derive(Clone, Debug)]
pub(super) struct BodyLimits {
    pub(super) bytes: usize,
    grace: Duration,
    rate: u32,
}

impl BodyLimits {
    pub(super) fn new(limits: &ServerLimits) -> Self {
        Self { bytes: limits.body_bytes, grace: limits.body_grace, rate: limits.body_rate.max(1) }
    }

    /// Time from the beginning of a body until more than `received` bytes must have arrived.
    fn time_for(&self, received: usize) -> Duration {
        self.grace.saturating_add(Duration::from_secs_f64(received as f64 / f64::from(self.rate)))
    }
}

/// Reads a body until `deadline`. One that comes in a single frame is not copied.
pub(super) async fn read<B>(
    body: &mut B,
    limits: &BodyLimits,
    arriving: ArrivingBody,
    deadline: Instant,
    timer: &mut Timer,
) -> Result<(Bytes, MemoryPermit), BodyError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Display,
{
    if body.size_hint().lower() > limits.bytes as u64 {
        return Err(BodyError::TooLarge);
    }
    let began = Instant::now();
    // The first frame, and all frames once there is a second one.
    let mut single = Bytes::new();
    let mut joined = Vec::new();
    loop {
        let received = single.len().max(joined.len());
        let slow = began + limits.time_for(received);
        let frame = tokio::select! {
            biased;
            () = arriving.evicted() => return Err(BodyError::Evicted),
            frame = timer.until(slow.min(deadline), body.frame()) => frame,
        };
        let frame = frame.ok_or(if slow < deadline { BodyError::TooSlow } else { BodyError::Late })?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|error| BodyError::Broken(error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        let length = received.saturating_add(data.len());
        if length > limits.bytes {
            return Err(BodyError::TooLarge);
        }
        if !arriving.grow_to(length) {
            return Err(BodyError::NoMemory);
        }
        if received == 0 {
            single = data;
            continue;
        }
        if joined.is_empty() {
            joined.extend_from_slice(&single);
        }
        joined.extend_from_slice(&data);
    }
    let permit = arriving.complete().ok_or(BodyError::Evicted)?;
    Ok((if joined.is_empty() { single } else { Bytes::from(joined) }, permit))
}

#[cfg(test)]
mod tests {
    use super::super::arriving_bodies::ArrivingBodies;
    use super::super::timers::Timers;
    use super::*;
    use futures::{FutureExt, StreamExt, stream};
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;
    use prometheus_client::metrics::counter::Counter;
    use proptest::prelude::*;
    use std::io;
    use std::sync::Arc;

    type Frames = Vec<Result<Vec<u8>, io::Error>>;

    fn setup(limits: &ServerLimits) -> (BodyLimits, Arc<ArrivingBodies>) {
        (BodyLimits::new(limits), Arc::new(ArrivingBodies::new(limits, Counter::default())))
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
    }

    /// Reads a body that may take any time.
    async fn read_all<B>(
        body: &mut B,
        limits: &BodyLimits,
        arriving: ArrivingBody,
    ) -> Result<(Bytes, MemoryPermit), BodyError>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Display,
    {
        let never = Instant::now() + Duration::from_secs(3_600);
        read(body, limits, arriving, never, &mut Timers::default().timer()).await
    }

    fn read_frames(frames: Frames, body_bytes: usize, all_bodies_bytes: usize) -> Result<Bytes, BodyError> {
        let limits = ServerLimits { body_bytes, all_bodies_bytes, ..ServerLimits::default() };
        let (limits, bodies) = setup(&limits);
        let frames = frames.into_iter().map(|frame| frame.map(|data| Frame::data(Bytes::from(data))));
        let mut body = StreamBody::new(stream::iter(frames));
        let read = async { read_all(&mut body, &limits, bodies.begin()).await };
        runtime().block_on(read).map(|(body, _)| body)
    }

    #[tokio::test]
    async fn a_single_frame_is_not_copied() {
        let data = Bytes::from(vec![b'x'; 3_000]);
        let (limits, bodies) = setup(&ServerLimits::default());
        let (body, _) = read_all(&mut Full::new(data.clone()), &limits, bodies.begin()).await.ok().unwrap();
        assert_eq!(body.as_ptr(), data.as_ptr());
        assert_eq!(body, data);
    }

    #[tokio::test]
    async fn a_declared_length_over_the_limit_is_refused_at_once() {
        let (limits, bodies) = setup(&ServerLimits { body_bytes: 3, ..ServerLimits::default() });
        let mut body = Full::new(Bytes::from_static(b"1234"));
        let error = read_all(&mut body, &limits, bodies.begin()).now_or_never().unwrap().err();
        assert_eq!(error, Some(BodyError::TooLarge));
    }

    #[test]
    fn a_broken_body_is_an_error() {
        let frames = vec![Ok(vec![1]), Err(io::Error::other("gone"))];
        assert_eq!(read_frames(frames, 10, 4096), Err(BodyError::Broken("gone".to_owned())));
    }

    #[test]
    fn a_body_needs_memory() {
        let frames = vec![Ok(vec![0; 1024]), Ok(vec![0])];
        assert_eq!(read_frames(frames, 10_000, 1024), Err(BodyError::NoMemory));
    }

    #[tokio::test]
    async fn an_evicted_body_is_given_up() {
        let (limits, bodies) = setup(&ServerLimits { arriving_bodies: 1, ..ServerLimits::default() });
        let mut silent = StreamBody::new(stream::pending::<Result<Frame<Bytes>, io::Error>>());
        let arriving = bodies.begin();
        let _newer = bodies.begin();
        let error = read_all(&mut silent, &limits, arriving).await.err();
        assert_eq!(error, Some(BodyError::Evicted));
    }

    #[tokio::test]
    async fn a_stalled_body_is_given_up() {
        let (limits, bodies) = setup(&ServerLimits { body_grace: Duration::ZERO, ..ServerLimits::default() });
        let first = stream::iter([Ok::<_, io::Error>(Frame::data(Bytes::from_static(b"{")))]);
        let mut stalled = StreamBody::new(first.chain(stream::pending()));
        let error = read_all(&mut stalled, &limits, bodies.begin()).await.err();
        assert_eq!(error, Some(BodyError::TooSlow));
    }

    #[tokio::test]
    async fn a_body_is_given_up_at_the_end_of_its_review() {
        let (limits, bodies) = setup(&ServerLimits::default());
        let mut silent = StreamBody::new(stream::pending::<Result<Frame<Bytes>, io::Error>>());
        let mut timer = Timers::default().timer();
        let read = read(&mut silent, &limits, bodies.begin(), Instant::now(), &mut timer);
        assert_eq!(read.await.err(), Some(BodyError::Late));
    }

    #[test]
    fn time_grows_with_the_bytes_that_arrived() {
        let limits =
            ServerLimits { body_grace: Duration::from_secs(2), body_rate: 1_000, ..ServerLimits::default() };
        let limits = BodyLimits::new(&limits);
        assert_eq!(limits.time_for(0), Duration::from_secs(2));
        assert_eq!(limits.time_for(500), Duration::from_millis(2_500));
        assert_eq!(limits.time_for(10_000), Duration::from_secs(12));
        let none = BodyLimits { rate: 0, ..limits };
        let rate = ServerLimits { body_rate: 0, ..ServerLimits::default() };
        assert_eq!(BodyLimits::new(&rate).rate, none.rate + 1, "a rate of 0 does not divide");
    }

    proptest! {
        #[test]
        fn frames_are_joined(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..8),
            limit in 0_usize..300,
        ) {
            let whole = frames.concat();
            let read = read_frames(frames.into_iter().map(Ok).collect(), limit, 1 << 20);
            if whole.len() <= limit {
                prop_assert_eq!(read, Ok(Bytes::from(whole)));
            } else {
                prop_assert_eq!(read, Err(BodyError::TooLarge));
            }
        }
    }
}
