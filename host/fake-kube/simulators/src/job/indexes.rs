//! Indexes of a Job as its status writes them.

use std::collections::BTreeSet;

/// Numbers with ranges for those that follow each other, as in `0-2,5` (batch/v1
/// `JobStatus.completedIndexes`).
pub(super) fn text(indexes: &BTreeSet<i32>) -> String {
    let mut ranges: Vec<(i32, i32)> = Vec::new();
    for index in indexes {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *index => *last = *index,
            _ => ranges.push((*index, *index)),
        }
    }
    let text = |(first, last): (i32, i32)| match last - first {
        0 => first.to_string(),
        1 => format!("{first},{last}"),
        _ => format!("{first}-{last}"),
    };
    ranges.into_iter().map(text).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn three_and_more_that_follow_each_other_are_a_range() {
        assert_eq!(text(&[].into()), "");
        assert_eq!(text(&[3].into()), "3");
        assert_eq!(text(&[0, 1].into()), "0,1");
        assert_eq!(text(&[0, 1, 2, 5, 7, 8, 9, 11, 12].into()), "0-2,5,7-9,11,12");
    }
}
