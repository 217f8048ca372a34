//! Passes in worlds of their own: [`lost`] answers and dying processes, and [`fair`] turns for several subscriptions.

mod fair;
mod lost;
