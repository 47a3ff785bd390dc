//! `--dry-run`: what would run, the memory of each rank, the files that would be written.

use std::fmt;
use std::path::PathBuf;

use crate::units::counted;

/// What a command would do.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// What would run: name and value, in order ("tetrahedra", "273 456").
    pub steps: Vec<(String, String)>,
    /// Estimated peak memory of each rank, bytes.
    pub memory_per_rank: Vec<u64>,
    pub files: Vec<PathBuf>,
    /// Why the run would be refused.
    pub refused: Option<String>,
}

impl Plan {
    /// Adds a line of what would run.
    pub fn step(&mut self, name: &str, value: impl fmt::Display) {
        self.steps.push((name.into(), value.to_string()));
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Would run (nothing is run or written now):")?;
        let width = self
            .steps
            .iter()
            .map(|(name, _)| name.chars().count())
            .max();
        let width = width.unwrap_or(0);
        for (name, value) in &self.steps {
            writeln!(f, "  {name:<width$}  {value}")?;
        }
        if let (Some(&least), Some(&most)) = (
            self.memory_per_rank.iter().min(),
            self.memory_per_rank.iter().max(),
        ) {
            let ranks = self.memory_per_rank.len();
            let all: u64 = self.memory_per_rank.iter().sum();
            let range = if least == most {
                bytes(most)
            } else {
                format!("{} to {}", bytes(least), bytes(most))
            };
            writeln!(
                f,
                "Memory per rank: {range} ({}, {} in all)",
                counted(ranks, "rank"),
                bytes(all)
            )?;
        }
        if !self.files.is_empty() {
            writeln!(f, "Files that would be written:")?;
            for file in &self.files {
                writeln!(f, "  {}", file.display())?;
            }
        }
        if let Some(reason) = &self.refused {
            writeln!(f, "It would be refused: {reason}")?;
        }
        Ok(())
    }
}

/// "1.5 GiB".
pub fn bytes(n: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let mut size = n as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_reads_as_text() {
        let mut plan = Plan::default();
        plan.step("tetrahedra", 1000);
        plan.step("ranks", 2);
        plan.memory_per_rank = vec![3 << 20, 5 << 29];
        plan.files = vec!["out/eikonal.h5".into()];
        let text = plan.to_string();
        assert!(
            text.contains("  tetrahedra  1000\n  ranks       2\n"),
            "{text}"
        );
        assert!(
            text.contains("3.0 MiB to 2.5 GiB (2 ranks, 2.5 GiB in all)"),
            "{text}"
        );
        assert!(text.contains("  out/eikonal.h5\n"), "{text}");
        assert!(!text.contains("refused"), "{text}");
        plan.refused = Some("out holds results".into());
        let text = plan.to_string();
        assert!(
            text.ends_with("It would be refused: out holds results\n"),
            "{text}"
        );
        assert_eq!(bytes(1023), "1023 B");
    }
}
