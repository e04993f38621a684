//! One binary for all integration tests, so that everything is linked once.

mod codec;
mod golden; // and that form never changes
mod model; // the core and the naive model answer alike
mod sandbox;
mod scenarios; // the rules, told as texts // the core and the component answer alike // every value has one canonical form
mod tidy; // the house rules
