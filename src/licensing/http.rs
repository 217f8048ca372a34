//! The thin rim: sends one request and gives back a [`wire::Answer`](super::wire::Answer).
