//! Passes in worlds of their own: [`lost`] answers and dying processes, [`claims`] to seats on their way, and [`fair`]
//! turns for several subscriptions.

mod claims;
mod fair;
mod lost;
mod play;
