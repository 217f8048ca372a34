//! Passes in worlds of their own: [`lost`] answers and dying processes, [`claims`] to seats on their way, [`fair`] turns
//! for several subscriptions, and rosters that change [`meanwhile`].

mod claims;
mod fair;
mod lost;
mod meanwhile;
mod play;
