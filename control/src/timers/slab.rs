//! Values that stay where they are, named by handles, and lists through them.
//!
//! A handle is an index and the generation of what lies there: when the value goes, its slot counts on, and an old handle
//! names nothing rather than somebody else. A slot has to be used 2^32 times before that could fail.
//!
//! Lists are links inside the values, so to put a value at an end of a list or to take it out of the middle touches its
//! neighbours and no more, and allocates nothing. A value may be in several lists at once, by links of its own for each.

#[cfg(test)]
use std::cell::Cell;

/// Names a value of a slab, and after it has gone nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Handle {
    index: u32,
    generation: u32,
}

/// Values by handle, at most so many.
#[derive(Debug)]
pub(super) struct Slab<T> {
    slots: Vec<Slot<T>>,
    /// The slot to use next, the head of a list of those that are free.
    free: u32,
    len: usize,
    limit: usize,
    /// How many times a value was looked at: what an operation costs, without a clock.
    #[cfg(test)]
    touched: Cell<u64>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    content: Content<T>,
}

#[derive(Debug)]
enum Content<T> {
    Value(T),
    Free { next: u32 },
}

impl<T> Slab<T> {
    /// An empty one that will not hold more than `limit` values.
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            slots: Vec::new(),
            free: NONE,
            len: 0,
            limit,
            #[cfg(test)]
            touched: Cell::new(0),
        }
    }

    /// How many values there are.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no room for another.
    pub(super) const fn is_full(&self) -> bool {
        self.len >= self.limit || (self.free == NONE && self.slots.len() >= NONE as usize)
    }

    /// Puts a value in, if there is room; returns its index.
    pub(super) fn insert(&mut self, value: T) -> Option<u32> {
        if self.is_full() {
            return None;
        }
        let index = if self.free == NONE {
            let index = u32::try_from(self.slots.len()).ok()?;
            self.slots.push(Slot { generation: 0, content: Content::Value(value) });
            index
        } else {
            let index = self.free;
            let slot = &mut self.slots[index as usize];
            if let Content::Free { next } = std::mem::replace(&mut slot.content, Content::Value(value)) {
                self.free = next;
            }
            index
        };
        self.len += 1;
        self.count_touch();
        Some(index)
    }

    /// Takes a value out that is in no list any more.
    pub(super) fn remove(&mut self, index: u32) -> T {
        self.count_touch();
        let slot = &mut self.slots[index as usize];
        match std::mem::replace(&mut slot.content, Content::Free { next: self.free }) {
            Content::Value(value) => {
                slot.generation = slot.generation.wrapping_add(1);
                self.free = index;
                self.len -= 1;
                value
            }
            Content::Free { .. } => unreachable!("an index in use names a value"),
        }
    }

    /// The value at an index that is in use.
    pub(super) fn at(&self, index: u32) -> &T {
        self.count_touch();
        match &self.slots[index as usize].content {
            Content::Value(value) => value,
            Content::Free { .. } => unreachable!("an index in use names a value"),
        }
    }

    /// The same, to change it.
    pub(super) fn at_mut(&mut self, index: u32) -> &mut T {
        self.count_touch();
        match &mut self.slots[index as usize].content {
            Content::Value(value) => value,
            Content::Free { .. } => unreachable!("an index in use names a value"),
        }
    }

    /// The handle of the value at an index that is in use.
    pub(super) fn handle(&self, index: u32) -> Handle {
        Handle { index, generation: self.slots[index as usize].generation }
    }

    /// The index of what a handle names, if it is still there.
    pub(super) fn find(&self, handle: Handle) -> Option<u32> {
        let slot = self.slots.get(handle.index as usize)?;
        let is_there = slot.generation == handle.generation && matches!(slot.content, Content::Value(_));
        is_there.then_some(handle.index)
    }

    #[cfg(test)]
    pub(super) fn touched(&self) -> u64 {
        self.touched.get()
    }

    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "counts in tests alone"))]
    fn count_touch(&self) {
        #[cfg(test)]
        self.touched.set(self.touched.get() + 1);
    }
}

/// A value's place in one list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Links {
    previous: u32,
    next: u32,
}

impl Links {
    /// In no list.
    pub(super) const NOWHERE: Self = Self { previous: NONE, next: NONE };

    /// The index of the value after this one.
    pub(super) const fn next(self) -> Option<u32> {
        some(self.next)
    }
}

/// The links by which a list goes through values.
pub(super) type By<T> = fn(&mut T) -> &mut Links;

/// A list through the values of a slab: always the same slab, and by the same links.
#[derive(Debug, Clone, Copy)]
pub(super) struct List {
    first: u32,
    last: u32,
}

impl List {
    /// Without values.
    pub(super) const EMPTY: Self = Self { first: NONE, last: NONE };

    /// The index of the first value.
    pub(super) const fn first(self) -> Option<u32> {
        some(self.first)
    }

    /// Whether there is no value.
    pub(super) const fn is_empty(self) -> bool {
        self.first == NONE
    }

    /// Puts a value, in no such list so far, at the end.
    pub(super) fn push_back<T>(&mut self, slab: &mut Slab<T>, index: u32, by: By<T>) {
        *by(slab.at_mut(index)) = Links { previous: self.last, next: NONE };
        match some(self.last) {
            Some(last) => by(slab.at_mut(last)).next = index,
            None => self.first = index,
        }
        self.last = index;
    }

    /// Puts a value, in no such list so far, at the front.
    pub(super) fn push_front<T>(&mut self, slab: &mut Slab<T>, index: u32, by: By<T>) {
        *by(slab.at_mut(index)) = Links { previous: NONE, next: self.first };
        match some(self.first) {
            Some(first) => by(slab.at_mut(first)).previous = index,
            None => self.last = index,
        }
        self.first = index;
    }

    /// Takes one of its values out.
    pub(super) fn unlink<T>(&mut self, slab: &mut Slab<T>, index: u32, by: By<T>) {
        let Links { previous, next } = std::mem::replace(by(slab.at_mut(index)), Links::NOWHERE);
        match some(previous) {
            Some(previous) => by(slab.at_mut(previous)).next = next,
            None => self.first = next,
        }
        match some(next) {
            Some(next) => by(slab.at_mut(next)).previous = previous,
            None => self.last = previous,
        }
    }
}

const fn some(index: u32) -> Option<u32> {
    if index == NONE { None } else { Some(index) }
}

const NONE: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_names_nothing_once_its_value_has_gone() {
        let mut slab = Slab::new(2);
        let first = slab.insert('a').unwrap();
        let handle = slab.handle(first);
        slab.insert('b').unwrap();
        assert_eq!(slab.insert('c'), None, "it is full");
        assert_eq!(slab.remove(first), 'a');
        assert_eq!(slab.insert('d'), Some(first), "the slot is used again");
        assert_eq!((slab.find(handle), slab.len()), (None, 2));
        assert_eq!(slab.find(slab.handle(first)).map(|index| *slab.at(index)), Some('d'));
    }

    #[test]
    fn a_list_gives_up_any_of_its_values_and_keeps_the_order_of_the_others() {
        let by: By<(u8, Links)> = |(_, links)| links;
        for gone in 0..4 {
            let (mut slab, mut list) = (Slab::new(8), List::EMPTY);
            let indices: Vec<_> = (0..4).map(|value| slab.insert((value, Links::NOWHERE)).unwrap()).collect();
            indices[1..].iter().for_each(|index| list.push_back(&mut slab, *index, by));
            list.push_front(&mut slab, indices[0], by);
            list.unlink(&mut slab, indices[usize::from(gone)], by);
            let (mut left, mut at) = (Vec::new(), list.first());
            while let Some(index) = at {
                left.push(slab.at(index).0);
                at = slab.at(index).1.next();
            }
            assert_eq!(left, (0..4).filter(|value| *value != gone).collect::<Vec<_>>());
        }
    }
}
