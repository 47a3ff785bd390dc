//! How the steps of a block are cut into launches.

use std::ops::Range;

/// Steps of a block that one launch, or one step with its stimuli, does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Steps of the block.
    pub steps: Range<usize>,
    /// Several steps from one pass over memory.
    pub march: bool,
}

/// What a tile's march can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// Fewest and most steps of one launch.
    pub least: usize,
    pub most: usize,
}

/// The moves of `count` steps. `stimulated(step)`: a stimulus acts, so that the step is done alone;
/// `pass`: how many steps a march takes, where the tile can march.
pub fn moves(count: usize, stimulated: impl Fn(usize) -> bool, pass: Option<Pass>) -> Vec<Move> {
    let mut moves = Vec::new();
    let mut step = 0;
    while step < count {
        let quiet = (step..count).take_while(|s| !stimulated(*s)).count();
        let (steps, march) = match pass {
            Some(pass) if quiet >= pass.least => (quiet.min(pass.most), true),
            _ => (1, false),
        };
        moves.push(Move {
            steps: step..step + steps,
            march,
        });
        step += steps;
    }
    moves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stimulated_steps_are_done_alone() {
        let pass = Some(Pass { least: 2, most: 4 });
        let found = moves(13, |s| s == 5 || s == 6, pass);
        let shown: Vec<_> = found.iter().map(|m| (m.steps.clone(), m.march)).collect();
        assert_eq!(
            shown,
            [
                (0..4, true),
                (4..5, false),
                (5..6, false),
                (6..7, false),
                (7..11, true),
                (11..13, true)
            ]
        );
        assert!(
            moves(3, |_| false, None)
                .iter()
                .all(|m| !m.march && m.steps.len() == 1)
        );
    }
}
