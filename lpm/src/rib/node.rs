//! One node of the tree, and how it is compiled.

use super::children::Children;
use super::table::{Paint, Table};
use super::{CHUNKS, PAGES, Press};
use crate::arena::Block;
use crate::entry::Entry;
use crate::family::{Run, positions};
use crate::prefix::Address;
use crate::range;
use crate::sweep::{Route, Span, sweep};
use crate::table::NextHopId;

/// One node of the tree.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Routes that end in this level, by start and then length: an outer one right before what it covers.
    pub(super) routes: Vec<Route>,
    pub(super) children: Option<Box<Children>>,
    /// What was compiled last, unless that was a mere answer.
    block: Option<Block>,
    /// The generation it was compiled in.
    born: u64,
    /// Positions whose routes changed since.
    pub(super) stale: Span,
}

impl Node {
    /// Whether nothing is filed here or below.
    pub(super) fn is_empty(&self) -> bool {
        self.routes.is_empty() && self.children.is_none()
    }

    /// Sends a route of this level to `next_hop`, or nowhere; returns where it went before.
    #[expect(clippy::cast_possible_truncation, reason = "positions of a level have 16 bits at most")]
    pub(super) fn set_route(&mut self, start: u32, len: u8, next_hop: Option<NextHopId>) -> Option<NextHopId> {
        let place = self.routes.binary_search_by_key(&(start, len), |route| (u32::from(route.start), route.len));
        match (place, next_hop) {
            (Ok(n), Some(next_hop)) => Some(std::mem::replace(&mut self.routes[n].next_hop, next_hop)),
            (Ok(n), None) => Some(self.routes.remove(n).next_hop),
            (Err(n), Some(next_hop)) => {
                self.routes.insert(n, Route { start: start as u16, len, next_hop });
                None
            }
            (Err(_), None) => None,
        }
    }

    /// Compiles this node, `whole` if what it inherits has changed, and returns what its parent shall say for it.
    pub(super) fn compile<A: Address>(
        &mut self,
        level: usize,
        inherited: Option<NextHopId>,
        whole: bool,
        press: &mut Press<'_>,
    ) -> Entry {
        if level == PAGES {
            self.compile_page::<A>(inherited, whole, press)
        } else {
            let patched = if whole { None } else { self.patch_chunk::<A>(level, press) };
            patched.unwrap_or_else(|| self.compile_runs::<A>(level, inherited, press))
        }
    }

    /// Levels 0 and 1: whether compiling may replace answers, and not only what was said for children before. Most
    /// changes are deep, and do not.
    pub(super) fn may_paint_over_answers(&self) -> bool {
        !self.stale.is_empty() || self.children.as_ref().is_some_and(|children| children.is_any_marked_new())
    }

    /// Level 1: a copy of the page with the new entries painted in.
    fn compile_page<A: Address>(&mut self, inherited: Option<NextHopId>, whole: bool, press: &mut Press<'_>) -> Entry {
        if whole || self.block.is_none() {
            self.stale = Span { from: 0, to: positions::<A>(PAGES) };
        }
        let old = self.block.take();
        let mut paints = press.take_paints();
        self.compile_table::<A>(PAGES, inherited, press, &Table::Page(old.as_ref()), &mut paints);
        let entry = if self.is_empty() {
            Entry::leaf(inherited)
        } else {
            let paint = |bytes: &mut [u8]| paints.iter().for_each(|paint| paint.apply(bytes));
            let page = match &old {
                Some(old) => press.heap.alloc_copy(old, paint),
                None => press.heap.alloc(positions::<A>(PAGES) as usize * size_of::<Entry>(), paint),
            };
            let entry = Entry::node(page.at(), false, 0);
            self.block = Some(page);
            entry
        };
        press.give_paints(paints);
        press.retire(old, self.born);
        self.born = press.generation;
        entry
    }

    /// Levels 0 and 1: lists in `paints` what the table, which says `now`, has to say differently.
    pub(super) fn compile_table<A: Address>(
        &mut self,
        level: usize,
        inherited: Option<NextHopId>,
        press: &mut Press<'_>,
        now: &Table<'_>,
        paints: &mut Vec<Paint>,
    ) {
        let stale = std::mem::take(&mut self.stale);
        let mut any_empty = false;
        if let Some(children) = &mut self.children {
            // Outside of what is stale, a child inherits what it did: where it is new, what its place says now.
            let mut marked = std::mem::take(&mut children.marked);
            for position in marked.drain(..).filter(|position| !stale.contains(u32::from(*position))) {
                let child = children.existing(position);
                let inherited = if child.is_known {
                    child.inherited
                } else {
                    let entry = now.entry(press.heap, position);
                    A::answer_in_table(level, entry, press.heap.arena(), press.width)
                };
                child.compile::<A>(level + 1, inherited, press);
                paints.push(Paint::one(position, A::in_table(level, child.entry, press)));
                any_empty |= child.is_empty;
            }
            children.marked = marked;
        }
        if stale.is_empty() {
            self.forget_empty_children(any_empty);
            return;
        }
        let mut runs = press.take_runs();
        sweep(&self.routes, positions::<A>(level), inherited, stale, &mut runs);
        let ends = runs.iter().skip(1).map(|run| run.start).chain([positions::<A>(level)]);
        for (run, end) in runs.iter().zip(ends) {
            let within = Span { from: run.start.max(stale.from), to: end.min(stale.to) };
            if within.is_empty() {
                continue;
            }
            paints.push(Paint { from: within.from, to: within.to, entry: A::in_table(level, run.entry, press) });
            let Some(children) = &mut self.children else { continue };
            for (position, child) in children.within(within) {
                child.compile_if_needed::<A>(level + 1, run.entry.answer(), press);
                paints.push(Paint::one(position, A::in_table(level, child.entry, press)));
                any_empty |= child.is_empty;
            }
        }
        press.give_runs(runs);
        self.forget_empty_children(any_empty);
    }

    /// Level 2, where only what nodes below say has changed: a copy of the chunk that points to the new ones. `None` where
    /// a chunk is too small for that to pay, or where more has changed.
    fn patch_chunk<A: Address>(&mut self, level: usize, press: &mut Press<'_>) -> Option<Entry> {
        let children = self.children.as_mut().filter(|_| level == CHUNKS && self.stale.is_empty())?;
        let old = self.block.as_ref()?;
        let mut paints = press.take_paints();
        let mut same_places = true;
        for n in 0..children.marked.len() {
            let position = children.marked[n];
            let child = children.existing(position);
            same_places &= child.is_known && !child.entry.is_leaf();
            if same_places {
                child.compile::<A>(level + 1, child.inherited, press);
                same_places &= !child.entry.is_leaf();
                paints.push(Paint::one(position, child.entry));
            }
        }
        let patched =
            same_places.then(|| A::patch_chunk(press.heap, old, &mut paints.iter().map(Paint::run))).flatten();
        press.give_paints(paints);
        let patched = patched?;
        children.marked.clear();
        let entry = Entry::node(patched.at(), true, 0);
        press.retire(self.block.replace(patched), self.born);
        self.born = press.generation;
        Some(entry)
    }

    /// All further levels: a new node from the runs of this one, or just an answer where there is only one.
    fn compile_runs<A: Address>(&mut self, level: usize, inherited: Option<NextHopId>, press: &mut Press<'_>) -> Entry {
        self.stale = Span::default();
        let mut runs = press.take_runs();
        let all = Span { from: 0, to: positions::<A>(level) };
        sweep(&self.routes, all.to, inherited, all, &mut runs);
        if let Some(children) = &mut self.children {
            let own = std::mem::replace(&mut runs, press.take_runs());
            let any_empty = children.lay_over::<A>(level, &own, &mut runs, press);
            press.give_runs(own);
            self.forget_empty_children(any_empty);
        }
        let old = self.block.take();
        press.retire(old, self.born);
        self.born = press.generation;
        let entry = match runs[..] {
            [Run { entry, .. }] if entry.is_leaf() => entry,
            _ => {
                let node = if level == CHUNKS {
                    A::encode_chunk(&runs, press.width)
                } else {
                    range::encode(&runs, press.width)
                };
                let block =
                    press.heap.alloc(node.bytes.len(), |bytes| bytes[..node.bytes.len()].copy_from_slice(&node.bytes));
                let entry = Entry::node(block.at() + node.anchor, node.wide, node.depth);
                self.block = Some(block);
                entry
            }
        };
        press.give_runs(runs);
        entry
    }

    /// Children that have nothing left go, if there are any; so does the list, with its last child.
    fn forget_empty_children(&mut self, any: bool) {
        if !any {
            return;
        }
        if let Some(children) = &mut self.children {
            children.forget_empty();
            if children.positions.is_empty() {
                self.children = None;
            }
        }
    }

    /// As if never compiled.
    pub(super) fn forget_compiled<A: Address>(&mut self, level: usize) {
        self.block = None;
        self.stale = Span { from: 0, to: positions::<A>(level) };
        for child in self.children.iter_mut().flat_map(|children| &mut children.children) {
            child.is_known = false;
            child.node.forget_compiled::<A>(level + 1);
        }
    }
}
