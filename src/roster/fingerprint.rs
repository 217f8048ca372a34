//! An order-free fingerprint of a roster: whether two readings say the same, and if not, where they differ.
//!
//! Keys are hashes, spread evenly, so the beginning of a key puts its entry into one of 4096 parts, and each part has a
//! sum of its own. Of a million entries, a hundred that changed touch a hundred parts: the others need neither be
//! sorted nor compared.

use std::fmt;

use super::EntryKey;

/// Parts are told by so many bits at the beginning of a key.
const PART_BITS: u32 = 12;

const PARTS: usize = 1 << PART_BITS;

/// A smaller roster is compared as a whole: its parts would take more room than they save.
const PARTED_MIN: u64 = 1 << 14;

/// For each part the sum of its entries' keys and contents, and the number of all. Two rosters with equal fingerprints
/// say the same, in whatever order.
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint {
    sums: Vec<u128>,
    count: u64,
}

impl Default for Fingerprint {
    fn default() -> Fingerprint {
        Fingerprint { sums: vec![0; PARTS], count: 0 }
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fingerprint").field("sum", &self.sum()).field("count", &self.count).finish_non_exhaustive()
    }
}

impl Fingerprint {
    pub fn add(&mut self, key: EntryKey, content: u64) {
        let sum = &mut self.sums[part_of(key)];
        *sum = sum.wrapping_add(mixed(key, content));
        self.count += 1;
    }

    /// Takes back what was added.
    pub fn remove(&mut self, key: EntryKey, content: u64) {
        let sum = &mut self.sums[part_of(key)];
        *sum = sum.wrapping_sub(mixed(key, content));
        self.count -= 1;
    }

    fn sum(&self) -> u128 {
        self.sums.iter().fold(0, |all, sum| all.wrapping_add(*sum))
    }

    /// What the ledger keeps: sum and number of all, and of a large roster the sums of its parts.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = [&self.sum().to_le_bytes()[..], &self.count.to_le_bytes()].concat();
        if self.count >= PARTED_MIN {
            bytes.extend(self.sums.iter().flat_map(|sum| sum.to_le_bytes()));
        }
        bytes
    }

    /// One that was kept, to add to it and take from it. A smaller one is kept as one sum, which is put into one part: that
    /// is the same as long as it stays small.
    pub fn of_bytes(kept: &[u8]) -> Option<Fingerprint> {
        let (sum, rest) = kept.split_first_chunk::<16>()?;
        let (count, parts) = rest.split_first_chunk::<8>()?;
        let mut fingerprint = Fingerprint { count: u64::from_le_bytes(*count), ..Fingerprint::default() };
        if parts.is_empty() {
            fingerprint.sums[0] = u128::from_le_bytes(*sum);
        } else {
            let (parts, []) = parts.as_chunks::<16>() else { return None };
            fingerprint.sums = parts.iter().map(|part| u128::from_le_bytes(*part)).collect();
        }
        (fingerprint.sums.len() == PARTS && parts.is_empty() != (fingerprint.count >= PARTED_MIN))
            .then_some(fingerprint)
    }

    /// The parts that are not as in a kept fingerprint; all of them where that can't be told.
    pub fn differing(&self, kept: &[u8]) -> Parts {
        let sums = kept.get(24..).unwrap_or_default().chunks_exact(16);
        if sums.len() != PARTS {
            return Parts::all();
        }
        let differs: Vec<bool> = sums.zip(&self.sums).map(|(kept, sum)| *kept != sum.to_le_bytes()).collect();
        // The number of entries is in no part.
        if differs.contains(&true) || *kept == *self.to_bytes() { Parts(differs) } else { Parts::all() }
    }
}

fn part_of(key: EntryKey) -> usize {
    usize::from(u16::from_be_bytes([key.0[0], key.0[1]]) >> (u16::BITS - PART_BITS))
}

fn mixed(key: EntryKey, content: u64) -> u128 {
    // The content is spread over the whole width, so that swapping the contents of two keys shows.
    let mixed = u128::from_le_bytes(key.0) ^ (u128::from(content) | (u128::from(content) << 64));
    mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
}

/// Some of the parts of a roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts(Vec<bool>);

impl Parts {
    pub fn all() -> Parts {
        Parts(vec![true; PARTS])
    }

    pub fn are_all(&self) -> bool {
        !self.0.contains(&false)
    }

    pub fn contain(&self, key: EntryKey) -> bool {
        self.0[part_of(key)]
    }

    /// The first and the last key of each stretch of parts, in order.
    pub fn ranges(&self) -> Vec<(EntryKey, EntryKey)> {
        let mut ranges: Vec<(EntryKey, EntryKey)> = Vec::new();
        for (part, _) in self.0.iter().enumerate().filter(|(_, is_in)| **is_in) {
            let (first, last) = bounds(part);
            match ranges.last_mut() {
                // There is a range, so that a part comes before this one.
                Some(range) if self.0[part - 1] => range.1 = last,
                _ => ranges.push((first, last)),
            }
        }
        ranges
    }
}

/// The first and the last key that a part can have.
fn bounds(part: usize) -> (EntryKey, EntryKey) {
    let first = (part as u128) << (u128::BITS - PART_BITS);
    let last = first | (u128::MAX >> PART_BITS);
    (EntryKey(first.to_be_bytes()), EntryKey(last.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many entries, spread evenly.
    fn entries(count: u64) -> Vec<(EntryKey, u64)> {
        let mut random = fastrand::Rng::with_seed(1);
        (0..count).map(|_| (EntryKey(random.u128(..).to_le_bytes()), random.u64(..))).collect()
    }

    fn of(entries: &[(EntryKey, u64)]) -> Fingerprint {
        let mut fingerprint = Fingerprint::default();
        for &(key, content) in entries {
            fingerprint.add(key, content);
        }
        fingerprint
    }

    #[test]
    fn the_order_of_entries_does_not_count() {
        let mut entries = entries(100);
        let before = of(&entries);
        entries.reverse();
        assert_eq!(of(&entries), before);
    }

    #[test]
    fn one_more_one_less_another_content_and_a_swap_are_not_the_same() {
        let entries = entries(20_000);
        let before = of(&entries);
        let mut more = entries.clone();
        more.push(entries[7]);
        let mut changed = entries.clone();
        changed[7].1 ^= 1;
        let mut swapped = entries.clone();
        (swapped[7].1, swapped[8].1) = (entries[8].1, entries[7].1);
        for other in [&more, &entries[1..].to_vec(), &changed, &swapped].map(|entries| of(entries)) {
            assert_ne!(other, before);
            assert_ne!(other.to_bytes(), before.to_bytes());
            assert_ne!(other.to_bytes()[..16], before.to_bytes()[..16]);
            assert_ne!(other.differing(&before.to_bytes()), Parts(vec![false; PARTS]));
        }
    }

    #[test]
    fn a_roster_that_an_older_rosterd_kept_is_the_same_today() {
        let sum = u128::from_le_bytes(of(&entries(3)).to_bytes()[..16].try_into().unwrap());
        assert_eq!(sum, 0xe42d_2bb1_fe5c_9731_229e_0e0f_b2c1_b75d);
    }

    #[test]
    fn what_is_taken_back_leaves_no_trace() {
        let entries = entries(9);
        let mut fingerprint = of(&entries);
        fingerprint.remove(entries[8].0, entries[8].1);
        assert_eq!(fingerprint, of(&entries[..8]));
    }

    #[test]
    fn one_that_was_kept_can_be_gone_on_with() {
        for count in [0, 9, 20_000] {
            let entries = entries(count + 1);
            let (last, before) = entries.split_last().unwrap();
            let mut kept = Fingerprint::of_bytes(&of(before).to_bytes()).unwrap();
            kept.add(last.0, last.1);
            assert_eq!(kept.to_bytes(), of(&entries).to_bytes());
            let mut kept = Fingerprint::of_bytes(&kept.to_bytes()).unwrap();
            kept.remove(last.0, last.1);
            assert_eq!(kept.to_bytes(), of(before).to_bytes());
        }
        let large = of(&entries(20_000)).to_bytes();
        assert!(Fingerprint::of_bytes(&[]).is_none() && Fingerprint::of_bytes(&large[..large.len() - 1]).is_none());
        assert!(Fingerprint::of_bytes(&large[..24]).is_none(), "a large one has parts");
    }

    #[test]
    fn the_parts_that_differ_hold_what_differs() {
        let mut entries = entries(20_000);
        let before = of(&entries).to_bytes();
        assert_eq!(of(&entries).differing(&before), Parts(vec![false; PARTS]));
        let gone = entries.swap_remove(3).0;
        let parts = of(&entries).differing(&before);
        assert!(parts.contain(gone));
        let ranges = parts.ranges();
        assert_eq!(ranges.len(), 1);
        assert!(ranges[0].0 <= gone && gone <= ranges[0].1);
        assert_eq!(entries.iter().filter(|(key, _)| parts.contain(*key)).count(), 3);
    }

    #[test]
    fn a_small_roster_or_an_unknown_one_differs_everywhere() {
        let small = of(&entries(100));
        assert_eq!(small.to_bytes().len(), 24);
        assert!(small.differing(&small.to_bytes()).are_all());
        assert!(of(&entries(20_000)).differing(b"").are_all());
    }

    #[test]
    fn an_equal_sum_of_another_number_differs_everywhere() {
        let roster = of(&entries(20_000));
        let mut kept = roster.to_bytes();
        kept[16] ^= 1;
        assert!(roster.differing(&kept).are_all());
    }

    #[test]
    fn stretches_of_parts_are_one_range() {
        let all = Parts::all().ranges();
        assert_eq!(all, [(EntryKey([0; 16]), EntryKey([0xff; 16]))]);
        let mut some = vec![false; PARTS];
        for part in [1, 2, 4095] {
            some[part] = true;
        }
        let ranges = Parts(some).ranges();
        let starts = |range: &(EntryKey, EntryKey)| [range.0.0[..2].to_vec(), range.1.0[..2].to_vec()];
        assert_eq!(
            ranges.iter().map(starts).collect::<Vec<_>>(),
            [[[0, 0x10], [0, 0x2f]], [[0xff, 0xf0], [0xff, 0xff]]]
        );
    }
}
