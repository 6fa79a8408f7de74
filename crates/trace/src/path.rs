//! The nest of kernel functions that an event happened in, interned so that an event can carry it.

/// A nest of functions; [`PathId::ROOT`] is the empty one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PathId(pub u32);

impl PathId {
    /// Outside any kernel function.
    pub const ROOT: PathId = PathId(0);
}

/// All nests seen so far, as a tree. It only grows, so that ids keep their meaning from one
/// execution to the next.
#[derive(Clone, Debug, Default)]
pub struct Paths {
    nodes: Vec<Node>,
    /// The nests of one function.
    outermost: Vec<PathId>,
}

#[derive(Clone, Debug)]
struct Node {
    parent: PathId,
    function: &'static str,
    /// The nests with one more function called in it.
    inner: Vec<PathId>,
}

impl Paths {
    /// The nest `parent` with one more function called in it.
    pub fn enter(&mut self, parent: PathId, function: &'static str) -> PathId {
        let known = self.node(parent).map_or(&self.outermost, |node| &node.inner);
        let of = |id: &PathId| self.nodes[id.0 as usize - 1].function;
        // Most often it is the same text in the same place.
        let is_same = |id: &&PathId| std::ptr::eq(of(id), function);
        let is_equal = |id: &&PathId| of(id) == function;
        if let Some(&id) = known.iter().find(is_same).or_else(|| known.iter().find(is_equal)) {
            return id;
        }
        self.nodes.push(Node { parent, function, inner: Vec::new() });
        let id = PathId(self.nodes.len() as u32);
        match (parent.0 as usize).checked_sub(1) {
            Some(outer) => self.nodes[outer].inner.push(id),
            None => self.outermost.push(id),
        }
        id
    }

    /// The nest without its innermost function. The root's parent is the root.
    pub fn leave(&self, path: PathId) -> PathId {
        self.node(path).map_or(PathId::ROOT, |node| node.parent)
    }

    /// Is the nest `outer`, or one of functions called in it?
    pub fn is_within(&self, path: PathId, outer: PathId) -> bool {
        let mut at = path;
        while at != outer && at != PathId::ROOT {
            at = self.leave(at);
        }
        at == outer
    }

    /// The functions, outermost first.
    pub fn functions(&self, path: PathId) -> Vec<&'static str> {
        let mut functions = Vec::new();
        let mut at = path;
        while let Some(&Node { parent, function, .. }) = self.node(at) {
            functions.push(function);
            at = parent;
        }
        functions.reverse();
        functions
    }

    /// The innermost function.
    pub fn innermost(&self, path: PathId) -> Option<&'static str> {
        self.node(path).map(|node| node.function)
    }

    fn node(&self, path: PathId) -> Option<&Node> {
        (path.0 as usize).checked_sub(1).and_then(|index| self.nodes.get(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_nest_has_one_id() {
        let mut paths = Paths::default();
        let outer = paths.enter(PathId::ROOT, "migrate_prep");
        let inner = paths.enter(outer, "lru_add_drain_all");
        assert_eq!(paths.enter(outer, "lru_add_drain_all"), inner);
        assert_ne!(paths.enter(PathId::ROOT, "lru_add_drain_all"), inner);
        assert_eq!(paths.functions(inner), ["migrate_prep", "lru_add_drain_all"]);
        assert_eq!(paths.leave(inner), outer);
        assert_eq!(paths.leave(PathId::ROOT), PathId::ROOT);
        assert!(paths.is_within(inner, outer) && paths.is_within(outer, outer));
        assert!(paths.is_within(inner, PathId::ROOT) && !paths.is_within(outer, inner));
        assert_eq!(paths.innermost(inner), Some("lru_add_drain_all"));
    }
}
