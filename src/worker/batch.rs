//! How many rows a stage of the next sweep may take: the setting, less after an error or a deadline, more again with
//! every success.

/// A batch size between 1 and the setting.
pub struct Batch {
    full: i32,
    size: i32,
}

impl Batch {
    /// The setting, or what the worker before this one had come down to.
    pub fn new(full: i32, kept: Option<i32>) -> Self {
        let size = kept.unwrap_or(full).clamp(1, full);
        Self { full, size }
    }

    /// Rows a stage may take.
    pub fn size(&self) -> i32 {
        self.size
    }

    /// What the next worker is to begin with; None is the setting.
    pub fn kept(&self) -> Option<i32> {
        (self.size < self.full).then_some(self.size)
    }

    /// After a success: twice as many, up to the setting.
    pub fn grow(&mut self) {
        self.size = self.size.saturating_mul(2).min(self.full);
    }

    /// After a failure of a sweep that had this many rows in hand: half of them. False when it was one row, which
    /// then is to blame.
    pub fn shrink(&mut self, in_hand: usize) -> bool {
        let tried = self.size.min(i32::try_from(in_hand).unwrap_or(i32::MAX));
        if tried <= 1 {
            return false;
        }
        self.size = tried / 2;
        true
    }
}
