//! The licensing API: [`wire`] makes bodies and reads answers, [`http`] sends them.

pub mod http;
pub mod wire;
