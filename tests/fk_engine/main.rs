//! The engine of the monodomain equation, through `simulation::build`, against exact solutions,
//! other programs' states, and itself on other divisions.

mod cardiax;
mod case;
mod conservation;
mod division;
mod identical;
mod levels;
mod operator;
mod speed;
mod stability;
mod state;
