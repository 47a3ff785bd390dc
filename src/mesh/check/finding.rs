//! One kind of defect, and its first offenders.

use std::fmt;

/// Offenders listed.
const FIRST: usize = 5;

/// One kind of defect.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// An error stops a run (or any run that needs the item); a warning is good to know.
    pub is_error: bool,
    pub what: &'static str,
    pub count: usize,
    /// The first few offenders; none where the mesh as a whole is meant.
    pub first: Vec<String>,
    pub remedy: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let kind = if self.is_error { "error  " } else { "warning" };
        let more = if self.count > self.first.len() {
            ", …"
        } else {
            ""
        };
        if self.first.is_empty() {
            return write!(f, "{kind}  {}\n         {}", self.what, self.remedy);
        }
        let (count, what, first) = (self.count, self.what, self.first.join(", "));
        write!(
            f,
            "{kind}  {count} {what}: {first}{more}\n         {}",
            self.remedy
        )
    }
}

/// Gathers offenders of one kind.
pub(super) struct Gather {
    pub(super) finding: Finding,
}

impl Gather {
    pub(super) fn error(what: &'static str, remedy: &'static str) -> Self {
        Self {
            finding: Finding {
                is_error: true,
                what,
                count: 0,
                first: Vec::new(),
                remedy,
            },
        }
    }

    pub(super) fn warning(what: &'static str, remedy: &'static str) -> Self {
        let mut gather = Self::error(what, remedy);
        gather.finding.is_error = false;
        gather
    }

    pub(super) fn add(&mut self, offender: impl fmt::Display) {
        self.finding.count += 1;
        if self.finding.first.len() < FIRST {
            self.finding.first.push(offender.to_string());
        }
    }

    pub(super) fn all(mut self, offenders: impl Iterator<Item = impl fmt::Display>) -> Self {
        offenders.for_each(|o| self.add(o));
        self
    }
}
