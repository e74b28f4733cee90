//! Progress of transfers: bars on a terminal, nothing elsewhere.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// The bars of transfers that run at the same time.
#[derive(Clone, Debug)]
pub struct Progress {
    bars: MultiProgress,
    visible: bool,
}

/// The template of a bar (indicatif, "Templates").
const TEMPLATE: &str = "{msg:24!} {bar:30} {bytes:>11} of {total_bytes:<11} {bytes_per_sec}";

impl Progress {
    /// Progress that is not shown.
    pub fn hidden() -> Self {
        Progress { bars: MultiProgress::with_draw_target(ProgressDrawTarget::hidden()), visible: false }
    }

    /// Progress that is shown as bars on standard error, where that is a terminal.
    pub fn on_terminal() -> Self {
        if std::io::stderr().is_terminal() {
            Progress { bars: MultiProgress::new(), visible: true }
        } else {
            Progress::hidden()
        }
    }

    /// A bar for a transfer of `size` bytes.
    pub fn bar(&self, title: &str, size: u64) -> ProgressBar {
        if !self.visible {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
        self.bars.add(ProgressBar::new(size).with_style(style).with_message(printable(title)))
    }
}

/// Text without control characters, since a title of an unknown artifact must not control the
/// terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// A number of bytes, for people.
pub fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn control_characters_do_not_reach_terminals() {
        assert_eq!(super::printable("a\u{1b}[2Jb\n"), "a?[2Jb?");
    }
}
