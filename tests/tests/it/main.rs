//! One binary for all integration tests, so that everything is linked once.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]

mod scenarios; // the rules, told as texts, on every path
mod model; // the core and the naive model answer alike
mod sandbox; // the core and the component answer alike
mod codec; // every value has one canonical form
mod golden; // and that form never changes
mod tidy; // the house rules
mod history; // pages along the chain
mod plans; // and none of them goes through the whole table

mod api; // the document, operation by operation
mod openapi; // and as it describes itself
mod walk; // and as somebody reads it who has nothing else
mod bad_input; // refused, and nothing happened
mod access; // whose is what, and who is who
mod protection; // those who guess, those who flood, those who are slow, and browsers
mod backup; // copies of the embedded database, taken and put back
mod operations; // figures, and whether it can do its work
mod idempotency; // once, whatever happens
mod shutdown; // nothing is cut off
mod races; // at the same time
mod crash; // kill -9
mod overdue; // proposals that nobody answers
mod import; // rows of files
mod mail; // sent once, to whom it is for
mod mail_trouble; // whatever a server says, and whoever asks for what is for nobody
mod mail_kinds; // what each says, and that nobody says more with it
mod mail_told; // because of what happened
mod mail_written; // passwords that were forgotten, and what members write to each other
mod jobs; // what is done without being asked
mod simulation; // all of it, from a seed
mod hosts; // several servers, and a database that goes away
mod engine; // hostile components
mod journal; // one byte changed
mod migration; // an older database
mod ahead; // what is decided before the last batch is durable, and who owns a ledger
mod runs; // very many keys
mod lanes; // keys that meet, lanes that die, damage
mod turns; // two hosts, by turns
mod faults; // one thing that goes wrong
mod scans; // very many rows, of which the database gives none, or some
mod windows; // what may pass in a period, after crashes
