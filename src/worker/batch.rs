//! The number of rows that a stage of the next sweep may handle. It is the setting, or less after an error or a
//! deadline, and grows again with every success.

/// A batch size between 1 and the setting.
pub struct Batch {
    full: i32,
    size: i32,
}

impl Batch {
    /// Begins with the setting, or with the smaller size that the previous worker kept.
    pub fn new(full: i32, kept: Option<i32>) -> Self {
        let size = kept.unwrap_or(full).clamp(1, full);
        Self { full, size }
    }

    /// Returns how many rows a stage may handle.
    pub fn size(&self) -> i32 {
        self.size
    }

    /// Returns the size with which the next worker begins; None means the setting.
    pub fn kept(&self) -> Option<i32> {
        (self.size < self.full).then_some(self.size)
    }

    /// Doubles the size after a success, up to the setting.
    pub fn grow(&mut self) {
        self.size = self.size.saturating_mul(2).min(self.full);
    }

    /// Sets the size to half the number of rows that a failed sweep was writing. Returns false if it was writing one
    /// row, which then is the cause.
    pub fn shrink(&mut self, in_hand: usize) -> bool {
        let tried = self.size.min(i32::try_from(in_hand).unwrap_or(i32::MAX));
        if tried <= 1 {
            return false;
        }
        self.size = tried / 2;
        true
    }
}
