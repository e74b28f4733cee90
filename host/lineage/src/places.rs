//! Where boxes and bends are within their columns: the third step of a layered drawing.

use crate::layers::{Layers, mean};

/// How often all columns are placed anew. Further rounds hardly change anything.
const ROUNDS: usize = 10;

/// The middles of all boxes and bends, from the top: each as near to the middle of its neighbours as
/// the others in its column allow. `height` is that of a box or bend, with the space around it.
pub(crate) fn places(layers: &Layers, height: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut middles = vec![0.0; layers.before.len()];
    for column in &layers.columns {
        put(column, &vec![0.0; column.len()], &height, &mut middles);
    }
    for round in 0..ROUNDS {
        let is_forward = round % 2 == 0;
        let neighbours = if is_forward { &layers.before } else { &layers.behind };
        let mut numbers: Vec<usize> = (0..layers.columns.len()).collect();
        if !is_forward {
            numbers.reverse();
        }
        for column in numbers.into_iter().filter_map(|number| layers.columns.get(number)) {
            let wanted: Vec<f64> = column
                .iter()
                .map(|vertex| {
                    let own = middles.get(*vertex).copied().unwrap_or_default();
                    let of = neighbours.get(*vertex).map_or(&[][..], Vec::as_slice);
                    mean(of, &middles).unwrap_or(own)
                })
                .collect();
            put(column, &wanted, &height, &mut middles);
        }
    }
    let tops = layers.columns.iter().flatten().filter_map(|vertex| {
        let middle = middles.get(*vertex)?;
        Some(middle - height(*vertex) / 2.0)
    });
    let top = tops.fold(f64::INFINITY, f64::min);
    middles.iter().map(|middle| if top.is_finite() { middle - top } else { *middle }).collect()
}

/// Puts a column as near as possible to what is wanted (least squares), without overlaps and in
/// order. Boxes that want the same place become a group that is moved as a whole (the pool adjacent
/// violators algorithm).
fn put(column: &[usize], wanted: &[f64], height: &impl Fn(usize) -> f64, middles: &mut [f64]) {
    struct Group {
        sum: f64,
        count: usize,
    }
    let mut groups: Vec<Group> = Vec::new();
    // Where a box would be if the one at the top were at 0 and all touched.
    let mut touching = Vec::with_capacity(column.len());
    let mut below = 0.0;
    for (vertex, wanted) in column.iter().zip(wanted) {
        let half = height(*vertex) / 2.0;
        touching.push(below + half);
        let mut group = Group { sum: wanted - (below + half), count: 1 };
        below += 2.0 * half;
        while let Some(last) =
            groups.pop_if(|last| last.sum * group.count as f64 >= group.sum * last.count as f64)
        {
            group = Group { sum: group.sum + last.sum, count: group.count + last.count };
        }
        groups.push(group);
    }
    let moves =
        groups.iter().flat_map(|group| std::iter::repeat_n(group.sum / group.count as f64, group.count));
    for ((vertex, touching), moved) in column.iter().zip(touching).zip(moves) {
        if let Some(middle) = middles.get_mut(*vertex) {
            *middle = touching + moved;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::arrange;
    use proptest::prelude::*;

    #[test]
    fn a_box_is_in_the_middle_of_its_neighbours() {
        let layers = arrange(4, &[(0, 1), (0, 2), (0, 3)]);
        assert_eq!(places(&layers, |_| 10.0), [15.0, 5.0, 15.0, 25.0]);
    }

    proptest! {
        #[test]
        fn boxes_never_overlap(edges in prop::collection::vec((0..12_usize, 0..12_usize), 0..40)) {
            let layers = arrange(12, &edges);
            let height = |vertex: usize| if vertex < 12 { 10.0 } else { 4.0 };
            let middles = places(&layers, height);
            for column in &layers.columns {
                for pair in column.windows(2) {
                    let gap = middles[pair[1]] - middles[pair[0]];
                    prop_assert!(gap >= (height(pair[0]) + height(pair[1])) / 2.0 - 1e-6, "{gap}");
                }
            }
            let tops = layers.columns.iter().flatten().map(|at| middles[*at] - height(*at) / 2.0);
            prop_assert!(tops.fold(f64::INFINITY, f64::min).abs() < 1e-6);
        }
    }
}
