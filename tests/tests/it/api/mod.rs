//! The API as its document has it, walked operation by operation with the document's own examples, on both databases.

mod people; // signup, login, logout, user
mod entities; // one's own, and as administrators see and change them
mod directory; // finding entities
mod hostile; // texts that mean something elsewhere
mod unseen; // texts that nobody sees all of
mod drift; // what is found and what is there agree
mod vocabulary; // tags and categories
mod favorites; // entities to find again
mod trade; // proposing, answering, balances
mod lists; // pages and filters
mod amounts; // exact in, exact out; texts of every script
mod batch; // many transfers at once
mod batch_bytes; // the same in the compact form
mod batch_killed; // of each all or nothing
mod backpressure; // more than can wait
mod import; // rows of a file, as they come
mod logs; // who did what, and when
mod deleting; // members and entities, as administrators see and delete them
mod statements; // of account, and checking them
mod reversals; // taking back what is completed
