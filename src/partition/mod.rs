//! METIS: parts for ranks, material domains.
