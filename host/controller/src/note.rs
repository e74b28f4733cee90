//! Notes of events, cut to what the API server takes.

/// Longest note in bytes. The API server refuses notes of more than 1,024 bytes (`noteLengthLimit`
/// in its validation of events.k8s.io/v1).
pub const MAX_NOTE_BYTES: usize = 1_000;

/// The text as the note of an event: cut at a character boundary to [`MAX_NOTE_BYTES`], with `...`
/// at the end where something was cut off.
pub fn event_note(text: &str) -> String {
    const ELLIPSIS: &str = "...";
    if text.len() <= MAX_NOTE_BYTES {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(MAX_NOTE_BYTES - ELLIPSIS.len());
    let mut note = text.get(..end).unwrap_or_default().to_owned();
    note.push_str(ELLIPSIS);
    note
}

#[cfg(test)]
mod tests {
    use super::{MAX_NOTE_BYTES, event_note};

    #[test]
    fn short_notes_stay_and_long_ones_are_cut_between_characters() {
        assert_eq!(event_note("short"), "short");
        let fits = "x".repeat(MAX_NOTE_BYTES);
        assert_eq!(event_note(&fits), fits);
        let cut = event_note(&"€".repeat(MAX_NOTE_BYTES));
        assert_eq!(cut.len(), 999, "332 characters of three bytes, and three full stops");
        assert!(cut.ends_with("€..."));
    }
}
