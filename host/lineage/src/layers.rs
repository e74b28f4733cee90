//! Which box is in which column, and in which order: the first two steps of a layered drawing
//! (Sugiyama, Tagawa and Toda: "Methods for Visual Understanding of Hierarchical System
//! Structures", 1981).
//!
//! The crates rust-sugiyama and layout-rs were considered first. Neither says where an edge bends,
//! and the results depend on the order of hash tables, so that the same graph would not always have
//! the same drawing.

/// Most bends. An edge that would need more leads straight to its end.
const MAX_BENDS: usize = 20_000;
/// How often the columns are ordered anew. Further rounds hardly change anything.
const ROUNDS: usize = 12;

/// Boxes and bends in columns. Boxes have the numbers that they have in the graph, and bends those
/// that follow.
#[derive(Debug)]
pub(crate) struct Layers {
    /// The boxes and bends of each column, from top to bottom. The first column has the boxes that
    /// nothing leads to.
    pub columns: Vec<Vec<usize>>,
    /// For each edge, the boxes and bends that it leads through.
    pub paths: Vec<Vec<usize>>,
    /// For each box and bend, its neighbours in the column before it.
    pub before: Vec<Vec<usize>>,
    /// For each box and bend, its neighbours in the column behind it.
    pub behind: Vec<Vec<usize>>,
}

/// Arranges boxes with edges between them. An edge leads to a later column, except in a circle.
pub(crate) fn arrange(boxes: usize, edges: &[(usize, usize)]) -> Layers {
    let column_of = assign_columns(boxes, edges);
    let count = column_of.iter().max().map_or(0, |last| last + 1);
    let mut columns: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (vertex, column) in column_of.iter().enumerate() {
        if let Some(column) = columns.get_mut(*column) {
            column.push(vertex);
        }
    }
    let (mut paths, mut bends) = (Vec::new(), 0);
    for (from, to) in edges.iter().copied() {
        let (Some(start), Some(end)) = (column_of.get(from), column_of.get(to)) else { continue };
        let between = (start + 1)..*end;
        let mut path = vec![from];
        if bends + between.len() <= MAX_BENDS {
            for column in between {
                if let Some(column) = columns.get_mut(column) {
                    column.push(boxes + bends);
                }
                path.push(boxes + bends);
                bends += 1;
            }
        }
        path.push(to);
        paths.push(path);
    }
    let mut layers = Layers {
        columns,
        paths,
        before: vec![Vec::new(); boxes + bends],
        behind: vec![Vec::new(); boxes + bends],
    };
    layers.link();
    layers.order();
    layers
}

/// The column of each box: the length of the longest way to it.
fn assign_columns(boxes: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); boxes];
    let mut waiting = vec![0_usize; boxes];
    for (from, to) in edges.iter().copied() {
        if let (Some(next), Some(waiting)) = (next.get_mut(from), waiting.get_mut(to)) {
            next.push(to);
            *waiting += 1;
        }
    }
    let mut columns = vec![0; boxes];
    let mut is_done = vec![false; boxes];
    let mut ready: Vec<usize> = (0..boxes).rev().filter(|at| waiting.get(*at) == Some(&0)).collect();
    // Where all that are left wait for each other, the first of them goes on: a circle.
    let mut left = 0..boxes;
    while let Some(at) = ready.pop().or_else(|| left.find(|at| is_done.get(*at) == Some(&false))) {
        match is_done.get_mut(at) {
            Some(is_done) if !*is_done => *is_done = true,
            _ => continue,
        }
        let behind = columns.get(at).map_or(0, |column| column + 1);
        for to in next.get(at).into_iter().flatten().copied() {
            if let (Some(false), Some(column), Some(waiting)) =
                (is_done.get(to), columns.get_mut(to), waiting.get_mut(to))
            {
                *column = behind.max(*column);
                *waiting -= 1;
                if *waiting == 0 {
                    ready.push(to);
                }
            }
        }
    }
    columns
}

impl Layers {
    /// Finds the neighbours of all boxes and bends. Ends of edges that are not in neighbouring
    /// columns are none.
    fn link(&mut self) {
        let column_of = self.column_of();
        for pair in self.paths.iter().flat_map(|path| path.windows(2)) {
            let [from, to] = *pair else { continue };
            let are_neighbours = match (column_of.get(from), column_of.get(to)) {
                (Some(from), Some(to)) => from + 1 == *to,
                _ => false,
            };
            if let (true, Some(behind), Some(before)) =
                (are_neighbours, self.behind.get_mut(from), self.before.get_mut(to))
            {
                behind.push(to);
                before.push(from);
            }
        }
    }

    /// For each box and bend, its column.
    pub(crate) fn column_of(&self) -> Vec<usize> {
        let mut column_of = vec![0; self.before.len()];
        for (number, column) in self.columns.iter().enumerate() {
            for vertex in column {
                if let Some(column) = column_of.get_mut(*vertex) {
                    *column = number;
                }
            }
        }
        column_of
    }

    /// Orders the columns so that few edges cross: each box goes to the middle of its neighbours, in
    /// turns seen from the column before it and from that behind it. The best order is kept.
    fn order(&mut self) {
        let mut best = (self.crossings(), self.columns.clone());
        for round in 0..ROUNDS {
            if best.0 == 0 {
                break;
            }
            let is_forward = round % 2 == 0;
            let mut position = self.positions();
            let numbers: Vec<usize> = if is_forward {
                (1..self.columns.len()).collect()
            } else {
                (0..self.columns.len().saturating_sub(1)).rev().collect()
            };
            let neighbours = if is_forward { &self.before } else { &self.behind };
            for number in numbers {
                let Some(column) = self.columns.get_mut(number) else { continue };
                let mut keyed: Vec<(f64, usize)> = column
                    .iter()
                    .map(|vertex| {
                        let own = position.get(*vertex).copied().unwrap_or_default();
                        let of = neighbours.get(*vertex).map_or(&[][..], Vec::as_slice);
                        (mean(of, &position).unwrap_or(own), *vertex)
                    })
                    .collect();
                keyed.sort_by(|one, other| one.0.total_cmp(&other.0));
                *column = keyed.into_iter().map(|(_, vertex)| vertex).collect();
                note_positions(column, &mut position);
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.columns.clone());
            }
        }
        self.columns = best.1;
    }

    fn positions(&self) -> Vec<f64> {
        let mut position = vec![0.0; self.before.len()];
        self.columns.iter().for_each(|column| note_positions(column, &mut position));
        position
    }

    /// Number of pairs of edges between neighbouring columns that cross.
    fn crossings(&self) -> usize {
        let position = self.positions();
        let mut crossings = 0;
        for (number, column) in self.columns.iter().enumerate() {
            // Edges are taken by their beginnings, from top to bottom. Each crosses those before it
            // that end below it.
            let mut ends = Fenwick::new(self.columns.get(number + 1).map_or(0, Vec::len));
            for vertex in column {
                let mut own: Vec<usize> = self
                    .behind
                    .get(*vertex)
                    .into_iter()
                    .flatten()
                    .filter_map(|end| position.get(*end).map(|position| *position as usize))
                    .collect();
                own.sort_unstable();
                crossings += own.iter().map(|end| ends.above(*end)).sum::<usize>();
                own.iter().for_each(|end| ends.add(*end));
            }
        }
        crossings
    }
}

fn note_positions(column: &[usize], position: &mut [f64]) {
    for (place, vertex) in column.iter().enumerate() {
        if let Some(position) = position.get_mut(*vertex) {
            *position = place as f64;
        }
    }
}

/// The mean of the values of some boxes.
pub(crate) fn mean(of: &[usize], values: &[f64]) -> Option<f64> {
    let sum: f64 = of.iter().filter_map(|vertex| values.get(*vertex)).sum();
    (!of.is_empty()).then(|| sum / of.len() as f64)
}

/// Counts numbers, so that those above a number are counted fast (Fenwick: "A New Data Structure for
/// Cumulative Frequency Tables", 1994).
struct Fenwick {
    counts: Vec<usize>,
    all: usize,
}

impl Fenwick {
    fn new(size: usize) -> Self {
        Fenwick { counts: vec![0; size + 1], all: 0 }
    }

    fn add(&mut self, number: usize) {
        self.all += 1;
        let mut at = number + 1;
        while let Some(count) = self.counts.get_mut(at) {
            *count += 1;
            at += at & at.wrapping_neg();
        }
    }

    /// How many numbers that were added are greater than this one.
    fn above(&self, number: usize) -> usize {
        let (mut at, mut not_above) = (number + 1, 0);
        while at > 0 {
            not_above += self.counts.get(at).copied().unwrap_or_default();
            at &= at - 1;
        }
        self.all - not_above
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_follow_the_longest_way_and_long_edges_bend_in_each_column() {
        let layers = arrange(4, &[(0, 1), (1, 2), (2, 3), (0, 3)]);
        let column_of = layers.column_of();
        assert_eq!(column_of.get(..4), Some(&[0, 1, 2, 3][..]));
        assert_eq!(layers.paths.last().map(Vec::len), Some(4), "two bends: {:?}", layers.paths);
        for path in &layers.paths {
            let columns: Vec<usize> = path.iter().map(|vertex| column_of[*vertex]).collect();
            assert!(columns.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{columns:?}");
        }
    }

    #[test]
    fn edges_that_need_not_cross_do_not_cross() {
        // 0 leads to 1 and 2. Their sources are named in the opposite order.
        let layers = arrange(5, &[(0, 1), (0, 2), (1, 4), (2, 3)]);
        assert_eq!(layers.crossings(), 0);
        assert_eq!(layers.columns, [vec![0], vec![1, 2], vec![4, 3]]);
    }

    #[test]
    fn circles_and_loops_end() {
        for edges in [&[(0, 0)][..], &[(0, 1), (1, 0)], &[(0, 1), (1, 2), (2, 1)], &[(1, 2), (2, 1)]] {
            let layers = arrange(3, edges);
            assert_eq!(layers.columns.iter().map(Vec::len).sum::<usize>(), layers.before.len());
            assert_eq!(layers.paths.len(), edges.len());
        }
        assert!(arrange(0, &[]).columns.is_empty());
    }

    #[test]
    fn crossings_are_counted() {
        let mut layers = arrange(6, &[(0, 3), (1, 4), (2, 5)]);
        assert_eq!(layers.crossings(), 0);
        layers.columns = vec![vec![0, 1, 2], vec![5, 4, 3]];
        assert_eq!(layers.crossings(), 3);
    }
}
