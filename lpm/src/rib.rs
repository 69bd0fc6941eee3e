//! The writer's side of the tree: the routes, filed by level, and the nodes compiled from them.
//!
//! (The structure itself is taught, with an example, in `DESIGN.md`.) Each [`Node`] holds the routes whose length ends in its level, and a child for each position that longer routes start
//! from. It also knows the block that was compiled from it last. A change marks the nodes on its way; compiling goes down
//! the marks, writes a new block for each node that changed and for each of its ancestors, and retires the old ones: that
//! is the path copy. What a node inherits, the answer of the longest shorter route, is handed down; a child is compiled
//! again if it inherits something else than last time.

use crate::arena::{Block, Heap};
use crate::entry::Entry;
use crate::family::{Family, Run, position, positions};
use crate::generations::Retired;
use crate::plain::{self, Plain};
use crate::prefix::{Address, Prefix};
use crate::range;
use crate::sweep::{Route, Span, push_run, sweep};
use crate::table::NextHopId;
use crate::width::Width;

/// All routes of a table, and what is compiled of them.
#[derive(Debug)]
pub(crate) struct Rib<A: Address> {
    root: Node,
    top: <A as Family>::Top,
    len: usize,
}

impl<A: Address> Default for Rib<A> {
    fn default() -> Self {
        Self { root: Node::default(), top: A::empty_top(), len: 0 }
    }
}

impl<A: Address> Rib<A> {
    /// Sends `prefix` to `next_hop`, or nowhere; returns where it went before.
    pub(crate) fn set(&mut self, prefix: Prefix<A>, next_hop: Option<NextHopId>) -> Option<NextHopId> {
        let before = set::<A>(&mut self.root, 0, prefix.address().to_number(), prefix.len(), next_hop);
        match (before, next_hop) {
            (None, Some(_)) => self.len += 1,
            (Some(_), None) => self.len -= 1,
            (None, None) | (Some(_), Some(_)) => {}
        }
        before
    }

    /// How many routes there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The compiled level 0.
    pub(crate) fn top(&self) -> A::Top {
        self.top
    }

    /// Calls `visit` with every route; in order within a level, longer ones after the shorter of the same level.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(Prefix<A>, NextHopId)) {
        for_each(&self.root, 0, 0, &mut visit);
    }

    /// Compiles what changed since the last time. The blocks that are no longer reached go to `press.retired`.
    pub(crate) fn compile(&mut self, press: &mut Press<'_>) {
        let mut paints = press.take_paints();
        let over_answers = self.root.may_paint_over_answers();
        self.root.compile_table::<A>(0, None, press, &Table::Top(self.top.as_ref()), &mut paints);
        for paint in &paints {
            self.top.as_mut()[paint.from as usize..paint.to as usize].fill(paint.entry.word());
        }
        press.give_paints(paints);
        plain::retire_unused(self.top.as_ref(), over_answers, self.len == 0, press);
    }

    /// Forgets that anything was compiled, so that all of it will be again. For a new arena: the blocks are not retired.
    pub(crate) fn forget_compiled(&mut self) {
        self.top = A::empty_top();
        self.root.forget_compiled::<A>(0);
    }

    /// The widest next hop there is.
    pub(crate) fn width(&self) -> Width {
        let mut width = Width::One;
        self.for_each(|_prefix, hop| width = width.max(Width::of(hop)));
        width
    }
}

/// What compiling works with: where blocks come from, where retired ones go, and buffers to use again.
#[doc(hidden)]
#[derive(Debug)]
pub struct Press<'a> {
    pub(crate) heap: &'a mut Heap,
    pub(crate) retired: &'a mut Vec<Retired<Block>>,
    pub(crate) plain: &'a mut Plain,
    pub(crate) width: Width,
    /// The generation being built.
    pub(crate) generation: u64,
    pub(crate) scratch: &'a mut Scratch,
}

/// Buffers that compiling uses again and again, one for each level it is busy with.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    runs: Vec<Vec<Run>>,
    paints: Vec<Vec<Paint>>,
}

impl Press<'_> {
    /// Gives up a node's block: at once if it was never published, else when no reader can reach it.
    pub(crate) fn retire(&mut self, block: Option<Block>, born: u64) {
        match block {
            Some(block) if born == self.generation => self.heap.free(block),
            Some(block) => self.retired.push(Retired { block, born }),
            None => {}
        }
    }

    /// An empty list of runs.
    fn take_runs(&mut self) -> Vec<Run> {
        self.scratch.runs.pop().unwrap_or_default()
    }

    /// Gives back a list of runs.
    fn give_runs(&mut self, mut runs: Vec<Run>) {
        runs.clear();
        self.scratch.runs.push(runs);
    }

    /// An empty list of paints.
    fn take_paints(&mut self) -> Vec<Paint> {
        self.scratch.paints.pop().unwrap_or_default()
    }

    /// Gives back a list of paints.
    fn give_paints(&mut self, mut paints: Vec<Paint>) {
        paints.clear();
        self.scratch.paints.push(paints);
    }
}

/// One node of the tree.
#[derive(Debug, Default)]
struct Node {
    /// Routes that end in this level, by start and then length: an outer one right before what it covers.
    routes: Vec<Route>,
    children: Option<Box<Children>>,
    /// What was compiled last, unless that was a mere answer.
    block: Option<Block>,
    /// The generation it was compiled in.
    born: u64,
    /// Positions whose routes changed since.
    stale: Span,
}

impl Node {
    /// Whether nothing is filed here or below.
    fn is_empty(&self) -> bool {
        self.routes.is_empty() && self.children.is_none()
    }

    /// Sends a route of this level to `next_hop`, or nowhere; returns where it went before.
    #[expect(clippy::cast_possible_truncation, reason = "positions of a level have 16 bits at most")]
    fn set_route(&mut self, start: u32, len: u8, next_hop: Option<NextHopId>) -> Option<NextHopId> {
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
    fn compile<A: Address>(
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
    fn may_paint_over_answers(&self) -> bool {
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
    fn compile_table<A: Address>(
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
    fn forget_compiled<A: Address>(&mut self, level: usize) {
        self.block = None;
        self.stale = Span { from: 0, to: positions::<A>(level) };
        for child in self.children.iter_mut().flat_map(|children| &mut children.children) {
            child.is_known = false;
            child.node.forget_compiled::<A>(level + 1);
        }
    }
}

/// The children of a node, by position.
#[derive(Debug, Default)]
struct Children {
    /// Apart from the children, so that a search stays within a few lines.
    positions: Vec<u16>,
    children: Vec<Child>,
    /// Positions of the children that changed since the node was compiled, each once.
    marked: Vec<u16>,
}

/// What a node knows of a child without looking into it.
#[derive(Debug, Default)]
struct Child {
    /// What was compiled of it last.
    entry: Entry,
    /// What it inherited then.
    inherited: Option<NextHopId>,
    /// Whether anything was compiled of it yet.
    is_known: bool,
    is_marked: bool,
    /// Whether nothing was left of it then.
    is_empty: bool,
    node: Box<Node>,
}

impl Children {
    /// The child at `position`.
    fn find(&mut self, position: u16) -> Option<&mut Child> {
        let n = self.positions.binary_search(&position).ok()?;
        Some(&mut self.children[n])
    }

    /// The child at a position that a mark says there is one at.
    fn existing(&mut self, position: u16) -> &mut Child {
        self.find(position).expect("a marked child stays until the mark is seen to")
    }

    /// The child at `position`, new if there was none.
    fn find_or_add(&mut self, position: u16) -> &mut Child {
        let n = self.positions.binary_search(&position).unwrap_or_else(|n| {
            self.positions.insert(n, position);
            self.children.insert(n, Child::default());
            n
        });
        &mut self.children[n]
    }

    /// Remembers that the child at `position` changed.
    fn mark(&mut self, position: u16) {
        let child = self.existing(position);
        if !std::mem::replace(&mut child.is_marked, true) {
            self.marked.push(position);
        }
    }

    /// Whether a child that changed was never compiled.
    fn is_any_marked_new(&self) -> bool {
        let mut marked = self.marked.iter().filter_map(|position| self.positions.binary_search(position).ok());
        marked.any(|n| !self.children[n].is_known)
    }

    /// The children in `span`.
    fn within(&mut self, span: Span) -> impl Iterator<Item = (u16, &mut Child)> {
        let from = self.positions.partition_point(|position| u32::from(*position) < span.from);
        let to = self.positions.partition_point(|position| u32::from(*position) < span.to);
        self.positions[from..to].iter().copied().zip(&mut self.children[from..to])
    }

    /// Copies `own` to `runs`, with each child's entry in its place; returns whether a child turned out to be empty.
    fn lay_over<A: Address>(&mut self, level: usize, own: &[Run], runs: &mut Vec<Run>, press: &mut Press<'_>) -> bool {
        self.marked.clear();
        let mut any_empty = false;
        let mut children = self.positions.iter().zip(&mut self.children).peekable();
        let ends = own.iter().skip(1).map(|run| run.start).chain([positions::<A>(level)]);
        for (run, end) in own.iter().zip(ends) {
            let mut from = run.start;
            while let Some((position, child)) = children.next_if(|(position, _)| u32::from(**position) < end) {
                let position = u32::from(*position);
                child.compile_if_needed::<A>(level + 1, run.entry.answer(), press);
                if from < position {
                    push_run(runs, from, run.entry);
                }
                push_run(runs, position, child.entry);
                any_empty |= child.is_empty;
                from = position + 1;
            }
            if from < end {
                push_run(runs, from, run.entry);
            }
        }
        any_empty
    }

    /// Drops the children that have nothing left.
    fn forget_empty(&mut self) {
        let mut kept = self.children.iter().map(|child| !child.is_empty);
        self.positions.retain(|_position| kept.next().unwrap_or(true));
        self.children.retain(|child| !child.is_empty);
    }
}

impl Child {
    /// Compiles the child if it changed, or inherits something else than last time.
    fn compile_if_needed<A: Address>(&mut self, level: usize, inherited: Option<NextHopId>, press: &mut Press<'_>) {
        if !self.is_known || self.is_marked || self.inherited != inherited {
            self.compile::<A>(level, inherited, press);
        }
    }

    /// Compiles the child.
    fn compile<A: Address>(&mut self, level: usize, inherited: Option<NextHopId>, press: &mut Press<'_>) {
        let whole = !self.is_known || self.inherited != inherited;
        self.entry = self.node.compile::<A>(level, inherited, whole, press);
        self.inherited = inherited;
        self.is_known = true;
        self.is_marked = false;
        self.is_empty = self.node.is_empty();
    }
}

/// A table of entries that is being replaced, to look up what it said.
enum Table<'a> {
    Top(&'a [u32]),
    /// A page; none yet if it is new, and then all of it is stale.
    Page(Option<&'a Block>),
}

impl Table<'_> {
    /// What it says at `position`.
    fn entry(&self, heap: &Heap, position: u16) -> Entry {
        match self {
            Self::Top(top) => Entry::of_word(top[usize::from(position)]),
            Self::Page(Some(page)) => heap.entry_of(page, usize::from(position) * size_of::<Entry>()),
            Self::Page(None) => Entry::NONE,
        }
    }
}

/// Positions `from..to` of a table now say `entry`.
#[derive(Debug, Clone, Copy)]
struct Paint {
    from: u32,
    to: u32,
    entry: Entry,
}

impl Paint {
    /// One position.
    fn one(position: u16, entry: Entry) -> Self {
        Self { from: position.into(), to: u32::from(position) + 1, entry }
    }

    /// As a run.
    fn run(&self) -> Run {
        Run { start: self.from, entry: self.entry }
    }

    /// Writes it into the bytes of a page.
    fn apply(&self, page: &mut [u8]) {
        let entries = &mut page[self.from as usize * size_of::<Entry>()..self.to as usize * size_of::<Entry>()];
        for entry in entries.chunks_exact_mut(size_of::<Entry>()) {
            entry.copy_from_slice(&self.entry.word().to_ne_bytes());
        }
    }
}

/// Files a route under `node`, which stands on `level`; returns where its prefix went before.
#[expect(clippy::cast_possible_truncation, reason = "positions of a level have 16 bits at most")]
fn set<A: Address>(
    node: &mut Node,
    level: usize,
    number: u128,
    len: u8,
    next_hop: Option<NextHopId>,
) -> Option<NextHopId> {
    let position = position::<A>(number, level);
    if len <= A::CUTS[level + 1] {
        let len = len - A::CUTS[level];
        let before = node.set_route(position, len, next_hop);
        if before != next_hop {
            let covered = positions::<A>(level) >> len;
            node.stale = node.stale.and(Span { from: position, to: position + covered });
        }
        return before;
    }
    let children = match next_hop {
        Some(_) => node.children.get_or_insert_default(),
        None => node.children.as_mut()?,
    };
    let child = match next_hop {
        Some(_) => children.find_or_add(position as u16),
        None => children.find(position as u16)?,
    };
    let before = set::<A>(&mut child.node, level + 1, number, len, next_hop);
    if before != next_hop {
        children.mark(position as u16);
    }
    before
}

/// Visits the routes under `node`, whose first address is `number`, in the order of their prefixes.
fn for_each<A: Address>(node: &Node, level: usize, number: u128, visit: &mut impl FnMut(Prefix<A>, NextHopId)) {
    let step = A::BITS - A::CUTS[level + 1];
    let mut routes = node.routes.iter().peekable();
    let visit_route = |route: &Route, visit: &mut dyn FnMut(Prefix<A>, NextHopId)| {
        let first = A::from_number(number | u128::from(route.start) << step);
        visit(Prefix::containing(first, A::CUTS[level] + route.len), route.next_hop);
    };
    for (position, child) in node.children.iter().flat_map(|children| children.positions.iter().zip(&children.children))
    {
        while let Some(route) = routes.next_if(|route| route.start <= *position) {
            visit_route(route, visit);
        }
        for_each(&child.node, level + 1, number | u128::from(*position) << step, visit);
    }
    for route in routes {
        visit_route(route, visit);
    }
}

/// The level of pages.
const PAGES: usize = 1;

/// The level of chunks.
const CHUNKS: usize = 2;
