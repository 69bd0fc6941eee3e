//! The writer's side of the tree: the routes, filed by level, and the nodes compiled from them.
//!
//! (The structure itself is taught, with an example, in `DESIGN.md`.) Each [`Node`] holds the routes whose length ends in
//! its level, and a child for each position that longer routes start from. It also knows the block that was compiled from it
//! last. A change marks the nodes on its way; compiling goes down the marks, writes a new block for each node that changed
//! and for each of its ancestors, and retires the old ones: that is the path copy. What a node inherits, the answer of the
//! longest shorter route, is handed down; a child is compiled again if it inherits something else than last time.

mod children;
mod node;
mod table;

use self::node::Node;
use self::table::{Paint, Table};
use crate::arena::{Block, Heap};
use crate::family::{Family, Run, position, positions};
use crate::generations::Retired;
use crate::plain::{self, Plain};
use crate::prefix::{Address, Prefix};
use crate::sweep::{Route, Span};
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
