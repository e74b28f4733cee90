//! Reading a body, in bounds.

use super::gate::Room;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;
use std::fmt::Display;

/// Why a body was not read to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is, or says that it is, longer than allowed.
    TooLarge,
    /// There is no room for it beside the bodies of other requests.
    NoRoom,
    /// It broke off; a sentence says how.
    Broken(String),
}

/// Reads a body of at most `limit` bytes, which `room` grows with. A body that comes in one piece is not copied.
pub(super) async fn read<B>(body: &mut B, limit: usize, room: &mut Room) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Display,
{
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyError::TooLarge);
    }
    let mut whole = Bytes::new();
    let mut pieces = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| BodyError::Broken(error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        let length = whole.len().max(pieces.len()).saturating_add(data.len());
        if length > limit {
            return Err(BodyError::TooLarge);
        }
        if !room.grow_to(length) {
            return Err(BodyError::NoRoom);
        }
        if length == data.len() {
            whole = data;
            continue;
        }
        if pieces.is_empty() {
            pieces.extend_from_slice(&whole);
        }
        pieces.extend_from_slice(&data);
    }
    Ok(if pieces.is_empty() { whole } else { Bytes::from(pieces) })
}

#[cfg(test)]
mod tests {
    use super::super::gate::Gate;
    use super::super::limits::Limits;
    use super::*;
    use futures::{FutureExt, stream};
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;
    use proptest::prelude::*;
    use std::io;

    fn read_pieces(
        pieces: Vec<Result<Vec<u8>, io::Error>>,
        limit: usize,
        room: usize,
    ) -> Result<Bytes, BodyError> {
        let frames = pieces.into_iter().map(|piece| piece.map(|piece| Frame::data(Bytes::from(piece))));
        let gate = Gate::new(&Limits { all_bodies_bytes: room, ..Limits::default() });
        let mut body = StreamBody::new(stream::iter(frames));
        read(&mut body, limit, &mut gate.room()).now_or_never().unwrap()
    }

    #[test]
    fn one_piece_is_handed_on_without_a_copy() {
        let data = Bytes::from(vec![b'x'; 3_000]);
        let gate = Gate::new(&Limits::default());
        let read =
            read(&mut Full::new(data.clone()), 3_000, &mut gate.room()).now_or_never().unwrap().unwrap();
        assert_eq!(read.as_ptr(), data.as_ptr());
        assert_eq!(read, data);
    }

    #[test]
    fn a_declared_length_is_refused_before_it_comes() {
        let gate = Gate::new(&Limits::default());
        let read =
            read(&mut Full::new(Bytes::from_static(b"1234")), 3, &mut gate.room()).now_or_never().unwrap();
        assert_eq!(read, Err(BodyError::TooLarge));
    }

    #[test]
    fn what_breaks_off_is_an_error() {
        let pieces = vec![Ok(vec![1]), Err(io::Error::other("gone"))];
        assert_eq!(read_pieces(pieces, 10, 4096), Err(BodyError::Broken("gone".to_owned())));
    }

    #[test]
    fn no_room_is_an_error() {
        assert_eq!(read_pieces(vec![Ok(vec![0; 1024]), Ok(vec![0])], 10_000, 1024), Err(BodyError::NoRoom));
    }

    proptest! {
        #[test]
        fn pieces_are_put_together(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..8), limit in 0_usize..300) {
            let whole = pieces.concat();
            let read = read_pieces(pieces.into_iter().map(Ok).collect(), limit, 1 << 20);
            if whole.len() <= limit {
                prop_assert_eq!(read, Ok(Bytes::from(whole)));
            } else {
                prop_assert_eq!(read, Err(BodyError::TooLarge));
            }
        }
    }
}
