//! Faults on purpose: how a test makes a database fail at a moment of its choice. No setting of a server leads here.
//!
//! A database without faults asks nobody: its transactions carry an empty [`Armed`].

use super::Error;
use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

/// What a transaction, or a statement without one, is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Nothing is to be changed.
    Read,
    /// It is to be committed.
    Write,
}

/// When in its life a transaction fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// It does not even begin.
    Begin,
    /// Before its statement of this number, counted from 0; when it has fewer, before it is committed.
    Statement(u32),
    /// When it is committed: nothing of it happens.
    Commit,
    /// After it was committed: all of it is durable, and whoever waits is told an error.
    Committed,
}

/// What goes wrong with one transaction.
#[derive(Debug)]
pub struct Fault {
    /// When.
    pub moment: Moment,
    /// What its user is told.
    pub error: Error,
}

/// Tells for each transaction, before it begins, what is to go wrong with it. May block for as long as the host is to sleep.
#[derive(Clone)]
pub struct Faults(Arc<dyn Fn(Access) -> Option<Fault> + Send + Sync>);

impl Faults {
    /// These.
    pub fn new(tell: impl Fn(Access) -> Option<Fault> + Send + Sync + 'static) -> Faults {
        Faults(Arc::new(tell))
    }
}

impl Debug for Faults {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Faults")
    }
}

/// What is to go wrong with a transaction that is under way.
#[derive(Default, Debug)]
pub struct Armed(Option<Fault>);

impl Armed {
    /// Of a transaction that is about to begin. An error when it does not.
    pub(super) fn begin(faults: Option<&Faults>, access: Access) -> Result<Armed, Error> {
        let Some(faults) = faults else { return Ok(Armed(None)) };
        let mut armed = Armed((faults.0)(access));
        armed.strike(|moment| moment == Moment::Begin)?;
        Ok(armed)
    }

    /// Before each statement.
    pub(super) fn statement(&mut self) -> Result<(), Error> {
        let Some(Fault { moment: Moment::Statement(left), .. }) = &mut self.0 else { return Ok(()) };
        if *left > 0 {
            *left -= 1;
            return Ok(());
        }
        self.strike(|_| true)
    }

    /// Before the commit.
    pub(super) fn commit(&mut self) -> Result<(), Error> {
        self.strike(|moment| moment != Moment::Committed)
    }

    /// After the commit.
    pub(super) fn committed(&mut self) -> Result<(), Error> {
        self.strike(|_| true)
    }

    fn strike(&mut self, when: impl Fn(Moment) -> bool) -> Result<(), Error> {
        self.0.take_if(|fault| when(fault.moment)).map_or(Ok(()), |fault| Err(fault.error))
    }
}
