//! Configuration: figment layers → raw → validated case.
