//! What a node knows of those below it.

use super::Press;
use super::node::Node;
use crate::entry::Entry;
use crate::family::{Run, positions};
use crate::prefix::Address;
use crate::sweep::{Span, push_run};
use crate::table::NextHopId;

/// The children of a node, by position.
#[derive(Debug, Default)]
pub(super) struct Children {
    /// Apart from the children, so that a search stays within a few lines.
    pub(super) positions: Vec<u16>,
    pub(super) children: Vec<Child>,
    /// Positions of the children that changed since the node was compiled, each once.
    pub(super) marked: Vec<u16>,
}

/// What a node knows of a child without looking into it.
#[derive(Debug, Default)]
pub(super) struct Child {
    /// What was compiled of it last.
    pub(super) entry: Entry,
    /// What it inherited then.
    pub(super) inherited: Option<NextHopId>,
    /// Whether anything was compiled of it yet.
    pub(super) is_known: bool,
    is_marked: bool,
    /// Whether nothing was left of it then.
    pub(super) is_empty: bool,
    pub(super) node: Box<Node>,
}

impl Children {
    /// The child at `position`.
    pub(super) fn find(&mut self, position: u16) -> Option<&mut Child> {
        let n = self.positions.binary_search(&position).ok()?;
        Some(&mut self.children[n])
    }

    /// The child at a position that a mark says there is one at.
    pub(super) fn existing(&mut self, position: u16) -> &mut Child {
        self.find(position).expect("a marked child stays until the mark is seen to")
    }

    /// The child at `position`, new if there was none.
    pub(super) fn find_or_add(&mut self, position: u16) -> &mut Child {
        let n = self.positions.binary_search(&position).unwrap_or_else(|n| {
            self.positions.insert(n, position);
            self.children.insert(n, Child::default());
            n
        });
        &mut self.children[n]
    }

    /// Remembers that the child at `position` changed.
    pub(super) fn mark(&mut self, position: u16) {
        let child = self.existing(position);
        if !std::mem::replace(&mut child.is_marked, true) {
            self.marked.push(position);
        }
    }

    /// Whether a child that changed was never compiled.
    pub(super) fn is_any_marked_new(&self) -> bool {
        let mut marked = self.marked.iter().filter_map(|position| self.positions.binary_search(position).ok());
        marked.any(|n| !self.children[n].is_known)
    }

    /// The children in `span`.
    pub(super) fn within(&mut self, span: Span) -> impl Iterator<Item = (u16, &mut Child)> {
        let from = self.positions.partition_point(|position| u32::from(*position) < span.from);
        let to = self.positions.partition_point(|position| u32::from(*position) < span.to);
        self.positions[from..to].iter().copied().zip(&mut self.children[from..to])
    }

    /// Copies `own` to `runs`, with each child's entry in its place; returns whether a child turned out to be empty.
    pub(super) fn lay_over<A: Address>(
        &mut self,
        level: usize,
        own: &[Run],
        runs: &mut Vec<Run>,
        press: &mut Press<'_>,
    ) -> bool {
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
    pub(super) fn forget_empty(&mut self) {
        let mut kept = self.children.iter().map(|child| !child.is_empty);
        self.positions.retain(|_position| kept.next().unwrap_or(true));
        self.children.retain(|child| !child.is_empty);
    }
}

impl Child {
    /// Compiles the child if it changed, or inherits something else than last time.
    pub(super) fn compile_if_needed<A: Address>(
        &mut self,
        level: usize,
        inherited: Option<NextHopId>,
        press: &mut Press<'_>,
    ) {
        if !self.is_known || self.is_marked || self.inherited != inherited {
            self.compile::<A>(level, inherited, press);
        }
    }

    /// Compiles the child.
    pub(super) fn compile<A: Address>(&mut self, level: usize, inherited: Option<NextHopId>, press: &mut Press<'_>) {
        let whole = !self.is_known || self.inherited != inherited;
        self.entry = self.node.compile::<A>(level, inherited, whole, press);
        self.inherited = inherited;
        self.is_known = true;
        self.is_marked = false;
        self.is_empty = self.node.is_empty();
    }
}
