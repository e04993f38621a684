//! Numbers one after the other, written and read, in either order of their bytes.

use super::CodecError;
use crate::{AccountStatus, Amount, Memo, Rejection};
use alloc::vec::Vec;
use core::marker::PhantomData;

/// Which byte of a number comes first.
pub(crate) trait Order {
    /// The bytes of a 32-bit number.
    fn bytes_32(number: u32) -> [u8; 4];
    /// The 32-bit number of these bytes.
    fn number_32(bytes: [u8; 4]) -> u32;
    /// The bytes of a 64-bit number.
    fn bytes_64(number: u64) -> [u8; 8];
    /// The 64-bit number of these bytes.
    fn number_64(bytes: [u8; 8]) -> u64;
    /// The bytes of a 128-bit number.
    fn bytes_128(number: u128) -> [u8; 16];
    /// The 128-bit number of these bytes.
    fn number_128(bytes: [u8; 16]) -> u128;
}

/// The highest byte first: what is kept for ever sorts as its numbers do, and reads as people write.
pub(crate) struct BigEndian;

/// The lowest byte first, as WebAssembly and nearly every processor has it. WebAssembly cannot turn numbers round, and doing it by
/// shifting is a good part of reading an item.
pub(crate) struct LittleEndian;

impl Order for BigEndian {
    fn bytes_32(number: u32) -> [u8; 4] {
        number.to_be_bytes()
    }

    fn number_32(bytes: [u8; 4]) -> u32 {
        u32::from_be_bytes(bytes)
    }

    fn bytes_64(number: u64) -> [u8; 8] {
        number.to_be_bytes()
    }

    fn number_64(bytes: [u8; 8]) -> u64 {
        u64::from_be_bytes(bytes)
    }

    fn bytes_128(number: u128) -> [u8; 16] {
        number.to_be_bytes()
    }

    fn number_128(bytes: [u8; 16]) -> u128 {
        u128::from_be_bytes(bytes)
    }
}

impl Order for LittleEndian {
    fn bytes_32(number: u32) -> [u8; 4] {
        number.to_le_bytes()
    }

    fn number_32(bytes: [u8; 4]) -> u32 {
        u32::from_le_bytes(bytes)
    }

    fn bytes_64(number: u64) -> [u8; 8] {
        number.to_le_bytes()
    }

    fn number_64(bytes: [u8; 8]) -> u64 {
        u64::from_le_bytes(bytes)
    }

    fn bytes_128(number: u128) -> [u8; 16] {
        number.to_le_bytes()
    }

    fn number_128(bytes: [u8; 16]) -> u128 {
        u128::from_le_bytes(bytes)
    }
}

/// Appends numbers.
pub(crate) struct Writer<'a, O> {
    out: &'a mut Vec<u8>,
    order: PhantomData<O>,
}

impl<'a, O: Order> Writer<'a, O> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Writer<'a, O> {
        Writer { out, order: PhantomData }
    }

    #[inline]
    pub(crate) fn chunk<const N: usize>(&mut self, chunk: &Chunk<O, N>) {
        self.out.extend_from_slice(&chunk.bytes);
    }

    #[inline]
    pub(crate) fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    #[inline]
    pub(crate) fn u128(&mut self, number: u128) {
        self.out.extend_from_slice(&O::bytes_128(number));
    }

    #[inline]
    pub(crate) fn i64(&mut self, number: i64) {
        self.out.extend_from_slice(&O::bytes_64(number.cast_unsigned()));
    }

    #[inline]
    pub(crate) fn amount(&mut self, amount: Amount) {
        self.i64(amount.minor());
    }

    pub(crate) fn u32(&mut self, number: u32) {
        self.out.extend_from_slice(&O::bytes_32(number));
    }

    /// How many things follow, or the place of one of them: four bytes.
    #[inline]
    pub(crate) fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).expect("fewer than 2^32"));
    }

    #[inline]
    pub(crate) fn memo(&mut self, memo: Memo) {
        if memo != Memo::NONE {
            self.u128(memo.0);
        }
    }

    #[inline]
    pub(crate) fn status(&mut self, status: AccountStatus) {
        self.byte(status_byte(status));
    }

    pub(crate) fn rejection(&mut self, rejection: Rejection) {
        self.byte(rejection.code());
        if let Some(amount) = rejection.amount() {
            self.amount(amount);
        }
    }
}

/// So many bytes that are written at once: quicker than one number at a time, and what is read as a [`Reader::chunk`].
pub(crate) struct Chunk<O, const N: usize> {
    bytes: [u8; N],
    order: PhantomData<O>,
}

impl<O: Order, const N: usize> Chunk<O, N> {
    pub(crate) const fn new() -> Chunk<O, N> {
        Chunk { bytes: [0; N], order: PhantomData }
    }

    #[inline]
    pub(crate) fn byte(mut self, at: usize, byte: u8) -> Chunk<O, N> {
        self.bytes[at] = byte;
        self
    }

    #[inline]
    pub(crate) fn count(mut self, at: usize, count: usize) -> Chunk<O, N> {
        let number = u32::try_from(count).expect("fewer than 2^32");
        self.bytes[at..at + 4].copy_from_slice(&O::bytes_32(number));
        self
    }

    #[inline]
    pub(crate) fn amount(mut self, at: usize, amount: Amount) -> Chunk<O, N> {
        self.bytes[at..at + 8].copy_from_slice(&O::bytes_64(amount.minor().cast_unsigned()));
        self
    }

    #[inline]
    pub(crate) fn u128(mut self, at: usize, number: u128) -> Chunk<O, N> {
        self.bytes[at..at + 16].copy_from_slice(&O::bytes_128(number));
        self
    }
}

/// Eight bytes of a chunk as a number.
#[inline]
pub(crate) fn number_64<O: Order, const N: usize>(chunk: &[u8; N], at: usize) -> i64 {
    O::number_64(*chunk[at..].first_chunk().expect("it is inside of the chunk")).cast_signed()
}

/// Four bytes of a chunk as a count or a place.
#[inline]
pub(crate) fn count<O: Order, const N: usize>(chunk: &[u8; N], at: usize) -> usize {
    O::number_32(*chunk[at..].first_chunk().expect("it is inside of the chunk")) as usize
}

/// Sixteen bytes of a chunk as a number.
#[inline]
pub(crate) fn number_128<O: Order, const N: usize>(chunk: &[u8; N], at: usize) -> u128 {
    O::number_128(*chunk[at..].first_chunk().expect("it is inside of the chunk"))
}

/// Eight bytes of a chunk as an amount, or `None` when it is out of range.
#[inline]
pub(crate) fn amount<O: Order, const N: usize>(chunk: &[u8; N], at: usize) -> Option<Amount> {
    Amount::new(number_64::<O, N>(chunk, at))
}

pub(crate) const fn status_byte(status: AccountStatus) -> u8 {
    match status {
        AccountStatus::Open => 0,
        AccountStatus::Frozen => 1,
        AccountStatus::Closed => 2,
    }
}

/// A bit of a byte of flags.
pub(crate) const fn flag(set: bool, bit: u8) -> u8 {
    if set { bit } else { 0 }
}

/// A place in the bytes that moves forward.
pub(crate) struct Reader<'a, O> {
    rest: &'a [u8],
    length: usize,
    order: PhantomData<O>,
}

impl<'a, O: Order> Reader<'a, O> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a, O> {
        Reader { rest: bytes, length: bytes.len(), order: PhantomData }
    }

    /// The byte just read is wrong.
    pub(crate) const fn wrong(&self) -> CodecError {
        CodecError { at: (self.length - self.rest.len()).saturating_sub(1) }
    }

    #[inline]
    fn take<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        self.chunk().copied()
    }

    /// So many bytes at once, to be taken apart by [`number_64`], [`number_128`] and [`amount`].
    #[inline]
    pub(crate) fn chunk<const N: usize>(&mut self) -> Result<&'a [u8; N], CodecError> {
        let (chunk, rest) = self.rest.split_first_chunk::<N>().ok_or(CodecError { at: self.length })?;
        self.rest = rest;
        Ok(chunk)
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Result<u8, CodecError> {
        self.take::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, CodecError> {
        self.take().map(O::number_32)
    }

    #[inline]
    pub(crate) fn count(&mut self) -> Result<usize, CodecError> {
        self.u32().map(|number| number as usize)
    }

    #[inline]
    pub(crate) fn i64(&mut self) -> Result<i64, CodecError> {
        self.take().map(|bytes| O::number_64(bytes).cast_signed())
    }

    #[inline]
    pub(crate) fn u128(&mut self) -> Result<u128, CodecError> {
        self.take().map(O::number_128)
    }

    #[inline]
    pub(crate) fn amount(&mut self) -> Result<Amount, CodecError> {
        Amount::new(self.i64()?).ok_or_else(|| self.wrong())
    }

    #[inline]
    pub(crate) fn flags(&mut self, allowed: u8) -> Result<u8, CodecError> {
        let flags = self.byte()?;
        if flags & !allowed == 0 { Ok(flags) } else { Err(self.wrong()) }
    }

    /// A memo of zero is written as an absent one, and only so.
    #[inline]
    pub(crate) fn memo(&mut self, there: bool) -> Result<Memo, CodecError> {
        if !there {
            return Ok(Memo::NONE);
        }
        let memo = Memo(self.u128()?);
        if memo == Memo::NONE { Err(self.wrong()) } else { Ok(memo) }
    }

    #[inline]
    pub(crate) fn status(&mut self) -> Result<AccountStatus, CodecError> {
        match self.byte()? {
            0 => Ok(AccountStatus::Open),
            1 => Ok(AccountStatus::Frozen),
            2 => Ok(AccountStatus::Closed),
            _ => Err(self.wrong()),
        }
    }

    pub(crate) fn rejection(&mut self) -> Result<Rejection, CodecError> {
        let code = self.byte()?;
        let bare = Rejection::from_code(code, Amount::ZERO).ok_or_else(|| self.wrong())?;
        let amount = if bare.amount().is_some() { self.amount()? } else { Amount::ZERO };
        Rejection::from_code(code, amount).ok_or_else(|| self.wrong())
    }

    /// Room to make for `count` things of at least `size` bytes each: no more than the bytes that are left can hold.
    pub(crate) fn at_most(&self, count: usize, size: usize) -> usize {
        count.min(self.rest.len() / size)
    }

    pub(crate) const fn end(&self) -> Result<(), CodecError> {
        if self.rest.is_empty() { Ok(()) } else { Err(CodecError { at: self.length - self.rest.len() }) }
    }
}
