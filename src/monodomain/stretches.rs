//! Where the active cells of a box lie in the arrays of a tile.

use std::ops::Range;

use super::layout::Layout;

/// Consecutive cells of a row: their positions in the arrays.
pub type Stretch = Range<usize>;

/// Active columns of each row of a tile, ghosts included.
#[derive(Debug)]
pub struct ActiveRuns {
    /// First run of each row, and the end.
    first: Vec<u32>,
    /// First column and end.
    runs: Vec<[i32; 2]>,
}

impl ActiveRuns {
    pub fn new(layout: &Layout, active: impl Fn([isize; 3]) -> bool) -> Self {
        let range = |a: usize| {
            let ghost = layout.ghost[a] as isize;
            -ghost..layout.size[a] as isize + ghost
        };
        let (mut first, mut runs) = (vec![0], Vec::new());
        for layer in range(0) {
            for row in range(1) {
                let mut begun = None;
                for column in range(2) {
                    match (begun, active([layer, row, column])) {
                        (None, true) => begun = Some(column),
                        (Some(from), false) => {
                            runs.push([from as i32, column as i32]);
                            begun = None;
                        }
                        _ => {}
                    }
                }
                runs.extend(begun.map(|from| [from as i32, range(2).end as i32]));
                first.push(runs.len() as u32);
            }
        }
        Self { first, runs }
    }

    fn of_row(&self, number: usize) -> &[[i32; 2]] {
        &self.runs[self.first[number] as usize..self.first[number + 1] as usize]
    }
}

/// The active cells of a box, row by row. `active`: `None` where all are.
pub fn stretches(
    layout: &Layout,
    active: Option<&ActiveRuns>,
    low: [isize; 3],
    size: [usize; 3],
) -> Vec<Stretch> {
    let mut found = Vec::new();
    let end = low[2] + size[2] as isize;
    for layer in low[0]..low[0] + size[0] as isize {
        for row in low[1]..low[1] + size[1] as isize {
            let whole = [[low[2] as i32, end as i32]];
            let runs = match active {
                None => &whole[..],
                Some(active) => active.of_row(layout.row_number(layer, row)),
            };
            let start = layout.index([layer, row, low[2]]);
            for run in runs {
                let [first, end] = [run[0] as isize - low[2], run[1] as isize - low[2]];
                let (first, end) = (
                    first.max(0) as usize,
                    end.clamp(0, size[2] as isize) as usize,
                );
                if first < end {
                    found.push(start + first..start + end);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_the_active_cells_of_the_box() {
        let layout = Layout::new([3, 4, 40], [2, 1, 3]);
        // No pattern: a number's bits after multiplication.
        let active = |[l, r, c]: [isize; 3]| {
            ((l * 31 + r * 17 + c / 3) as u32).wrapping_mul(2_654_435_761) >> 30 != 0
        };
        let runs = ActiveRuns::new(&layout, active);
        for (low, size) in [
            ([-2, -1, -3], [7, 6, 46]),
            ([0, 0, 37], [3, 4, 3]),
            ([1, 3, -3], [1, 1, 3]),
        ] {
            let mut expected = Vec::new();
            for l in low[0]..low[0] + size[0] as isize {
                for r in low[1]..low[1] + size[1] as isize {
                    let columns = low[2]..low[2] + size[2] as isize;
                    let there = columns.filter(|c| active([l, r, *c]));
                    expected.extend(there.map(|c| layout.index([l, r, c])));
                }
            }
            let found = stretches(&layout, Some(&runs), low, size);
            assert!(found.iter().all(|s| !s.is_empty()));
            let cells: Vec<usize> = found.into_iter().flatten().collect();
            assert_eq!(cells, expected);
            let all = stretches(&layout, None, low, size);
            assert_eq!(all.len(), size[0] * size[1]);
            assert!(all.iter().all(|s| s.len() == size[2]));
        }
    }
}
