//! One file per subcommand.

pub mod mesh;
