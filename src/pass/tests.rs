//! Passes in worlds of their own: [`lost`] answers and dying processes, [`fair`] turns for several subscriptions, and
//! rosters that change [`meanwhile`].

mod fair;
mod lost;
mod meanwhile;
