//! Ranks over MPI.
