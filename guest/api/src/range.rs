//! Ranges: one text that stands for many, as `part:{0..99}` stands for a hundred references.

use std::fmt;

/// Most digits of a number in a range.
const MAX_DIGITS: usize = 18;

/// A text with a range `{A..B}`: the numbers from `A` to `B`, both included, in ascending order. If
/// `A` is written with leading zeros, all numbers are padded to its width.
///
/// ```
/// use orascache_api::range::Range;
///
/// let range = Range::find("part:{08..11}-x").unwrap().unwrap();
/// assert_eq!(range.count(), 4);
/// assert!(range.texts().eq(["part:08-x", "part:09-x", "part:10-x", "part:11-x"]));
/// assert_eq!(Range::find("part:{index}"), Ok(None));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range<'a> {
    /// The text in front of the range.
    before: &'a str,
    first: u64,
    last: u64,
    /// Least number of digits.
    width: usize,
    /// The text behind the range.
    behind: &'a str,
}

/// Why a text has no usable range. Each value is the range as it is written.
///
/// As text, it is the end of a sentence that begins with the whole text and `but`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeError<'a> {
    /// The ends are no numbers.
    NotNumbers(&'a str),
    /// The first number is greater than the last.
    Descending(&'a str),
    /// The last number has leading zeros, and another width than the first.
    UnequalWidths(&'a str),
    /// It is the second range of the text.
    Second(&'a str),
    /// The text is of a kind that has no range.
    OutOfPlace(&'a str),
}

impl<'a> Range<'a> {
    /// Looks for the range in a text. `None` when it has none.
    ///
    /// # Errors
    /// When braces with `..` hold no range, or when there are several.
    pub fn find(text: &'a str) -> Result<Option<Self>, RangeError<'a>> {
        let mut found = None;
        let mut start = 0;
        while let Some((open, end)) = braces(text, start) {
            let whole = text.get(open..end).unwrap_or_default();
            start = end;
            if !is_range(whole) {
                continue;
            }
            if found.is_some() {
                return Err(RangeError::Second(whole));
            }
            let before = text.get(..open).unwrap_or_default();
            let behind = text.get(end..).unwrap_or_default();
            found = Some(Self::read(whole, before, behind)?);
        }
        Ok(found)
    }

    fn read(whole: &'a str, before: &'a str, behind: &'a str) -> Result<Self, RangeError<'a>> {
        let inner = whole.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let ends = inner.and_then(|inner| inner.split_once(".."));
        let numbers = ends.and_then(|(first, last)| Some((first, last, number(first)?, number(last)?)));
        let (first_text, last_text, first, last) = numbers.ok_or(RangeError::NotNumbers(whole))?;
        if first > last {
            return Err(RangeError::Descending(whole));
        }
        if is_padded(last_text) && last_text.len() != first_text.len() {
            return Err(RangeError::UnequalWidths(whole));
        }
        let width = if is_padded(first_text) { first_text.len() } else { 1 };
        Ok(Range { before, first, last, width, behind })
    }

    /// How many texts it stands for. At least one.
    pub fn count(&self) -> u64 {
        self.last - self.first + 1
    }

    /// The first number, as it is written.
    pub fn first(&self) -> String {
        self.number(self.first)
    }

    /// The last number, as it is written. No number is longer.
    pub fn last(&self) -> String {
        self.number(self.last)
    }

    /// The texts that it stands for. Whoever collects them asks for [`Range::count`] first.
    pub fn texts(self) -> impl Iterator<Item = String> + use<'a> {
        (self.first..=self.last)
            .map(move |number| format!("{}{}{}", self.before, self.number(number), self.behind))
    }

    /// The texts in front of the range and behind it.
    pub(crate) fn surroundings(&self) -> (&'a str, &'a str) {
        (self.before, self.behind)
    }

    /// The number at a place, as it is written. The first one has the place 0.
    pub(crate) fn number_at(&self, place: u64) -> String {
        self.number(self.first.saturating_add(place))
    }

    fn number(&self, number: u64) -> String {
        format!("{number:0width$}", width = self.width)
    }
}

impl fmt::Display for RangeError<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNumbers(range) => write!(
                formatter,
                "{range} is no range: write two numbers of up to {MAX_DIGITS} digits, like {{0..99}}"
            ),
            Self::Descending(range) => {
                write!(formatter, "{range} begins with the greater number: write the smaller one first")
            }
            Self::UnequalWidths(range) => write!(
                formatter,
                "{range} has leading zeros in its last number only: write both with the same number of digits, like {{00..12}}"
            ),
            Self::Second(range) => write!(
                formatter,
                "{range} is a second range: write one in each input, and the others as further inputs"
            ),
            Self::OutOfPlace(range) => write!(
                formatter,
                "{range} is a range, which only the URI of an input may have: write {{index}} for the number of the pod, or a name"
            ),
        }
    }
}

/// Whether a text in braces is meant as a range.
pub(crate) fn is_range(in_braces: &str) -> bool {
    in_braces.ends_with('}') && in_braces.contains("..")
}

/// Where the next text in braces begins and ends, both braces included. An open brace without its
/// end reaches to the end of the text.
pub(crate) fn braces(text: &str, start: usize) -> Option<(usize, usize)> {
    let rest = text.get(start..)?;
    let open = rest.find('{')?;
    let length = rest.get(open..)?.find('}').map_or(rest.len() - open, |close| close + 1);
    Some((start + open, start + open + length))
}

fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && digits.len() <= MAX_DIGITS).then(|| digits.parse().ok()).flatten()
}

fn is_padded(digits: &str) -> bool {
    digits.len() > 1 && digits.starts_with('0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(text: &str) -> Vec<String> {
        Range::find(text).unwrap().unwrap().texts().collect()
    }

    #[test]
    fn a_range_is_inclusive_and_ascending() {
        assert_eq!(texts("a:{0..2}"), ["a:0", "a:1", "a:2"]);
        assert_eq!(texts("{7..7}"), ["7"]);
        assert_eq!(texts("{9..11}/x:{pod}"), ["9/x:{pod}", "10/x:{pod}", "11/x:{pod}"]);
    }

    #[test]
    fn leading_zeros_of_the_first_number_give_the_width() {
        assert_eq!(texts("{00..2}"), ["00", "01", "02"]);
        assert_eq!(texts("{099..101}"), ["099", "100", "101"]);
        assert_eq!(texts("{08..100}").last().unwrap(), "100");
        assert_eq!(texts("{00..02}").len(), 3);
    }

    #[test]
    fn texts_that_are_no_ranges_are_told_apart() {
        for (text, wanted) in [
            ("a{x..2}", RangeError::NotNumbers("{x..2}")),
            ("a{..2}", RangeError::NotNumbers("{..2}")),
            ("a{0..}", RangeError::NotNumbers("{0..}")),
            ("a{0...2}", RangeError::NotNumbers("{0...2}")),
            ("a{-1..2}", RangeError::NotNumbers("{-1..2}")),
            ("a{+1..2}", RangeError::NotNumbers("{+1..2}")),
            ("a{0..2..4}", RangeError::NotNumbers("{0..2..4}")),
            ("a{{0..2}", RangeError::NotNumbers("{{0..2}")),
            ("a{0..9999999999999999999}", RangeError::NotNumbers("{0..9999999999999999999}")),
            ("a{2..1}", RangeError::Descending("{2..1}")),
            ("a{0..09}", RangeError::UnequalWidths("{0..09}")),
            ("a{00..009}", RangeError::UnequalWidths("{00..009}")),
            ("{0..1}{2..3}", RangeError::Second("{2..3}")),
        ] {
            assert_eq!(Range::find(text), Err(wanted), "{text}");
        }
        for text in ["", "a", "a{}", "{pod}", "a..b", "{0..2", "0..2}"] {
            assert_eq!(Range::find(text), Ok(None), "{text}");
        }
    }

    #[test]
    fn the_longest_range_is_counted_without_overflow() {
        let range = Range::find("{0..999999999999999999}").unwrap().unwrap();
        assert_eq!(range.count(), 1_000_000_000_000_000_000);
    }

    proptest! {
        #[test]
        fn the_texts_are_the_numbers_between_both_ends(first in 0_u64..2000, length in 0_u64..300, width in 1_usize..6) {
            let last = first + length;
            let text = format!("x{{{first:0width$}..{last}}}y");
            let range = Range::find(&text).unwrap().unwrap();
            let numbers: Vec<u64> = range
                .texts()
                .map(|text| text.strip_prefix('x').and_then(|rest| rest.strip_suffix('y')).unwrap().parse().unwrap())
                .collect();
            prop_assert_eq!(numbers, (first..=last).collect::<Vec<_>>());
            prop_assert_eq!(range.texts().count() as u64, range.count());
            let width = if width > first.to_string().len() { width } else { 1 };
            for place in 0..range.count() {
                let number = range.number_at(place);
                prop_assert!(number.len() >= width && number.len() <= range.last().len());
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in r"[{}.0-9a]{0,20}") {
            let _ = Range::find(&text);
        }
    }
}
