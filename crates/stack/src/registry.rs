//! The methods of all plugins, with their hooks.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use handfast_mux::tokio::{Answer, Consumption, Context, Handler, Incoming, Items, Router, Service, no_such_method};
use handfast_mux::{CallType, Manifest, MethodName, RemoteError};

use crate::Error;
use crate::hook::{Hook, Hooks, Next};

/// The methods of a node by their full names. As a [`Service`] it serves all connections of the node: whoever calls, a call
/// passes the hooks of its method and then reaches the plugin.
///
/// Plugins are [added](Self::add) one after the other while a node starts, and then it is [complete](Self::complete). Until
/// then hooks may be put on methods that are still to come; afterwards only on those that there are, and they take effect for
/// calls that begin later.
#[derive(Default)]
pub(crate) struct Registry {
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    methods: HashMap<MethodName, Arc<Method>>,
    /// The methods of each plugin in their order, by the place of the plugin in the order of use.
    plugins: BTreeMap<usize, Vec<(MethodName, CallType)>>,
    /// Hooks on methods that have not come yet, the first added first.
    waiting: Vec<(MethodName, Arc<dyn Hook>)>,
    complete: bool,
}

/// A method with its hooks. Calls that run keep the hooks with which they began.
#[derive(Clone)]
pub(crate) struct Method {
    kind: CallType,
    plugin: Arc<str>,
    pub(crate) handler: Handler,
    /// The last one is the outermost.
    pub(crate) hooks: Vec<Arc<dyn Hook>>,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds the methods of a plugin under its camel-cased name, at the root if that is empty, and their hooks. `place` is its
    /// place in the order of use, by which the manifest is ordered.
    ///
    /// # Errors
    /// [`Error::DuplicateMethod`], and [`Error::NoSuchMethod`] for a hook of another kind; nothing has been added then.
    pub(crate) fn add(&self, place: usize, plugin: &str, methods: Router) -> Result<(), Error> {
        let router = Router::new().without_manifest().nest(plugin, methods);
        let methods = router.handlers();
        let plugin: Arc<str> = plugin.into();
        let mut state = self.write();
        let mut new = Vec::with_capacity(methods.len());
        for (name, kind, handler) in &methods {
            if let Some(first) = state.at(name) {
                return Err(Error::DuplicateMethod {
                    method: name.clone(),
                    first: first.plugin.to_string(),
                    second: plugin.to_string(),
                });
            }
            let waiting = state.waiting.iter().filter(|(method, _)| method == name);
            let hooks = waiting.map(|(_, hook)| fitting(name, *kind, hook).cloned());
            let method = Method {
                kind: *kind,
                plugin: plugin.clone(),
                handler: handler.clone(),
                hooks: hooks.collect::<Result<_, _>>()?,
            };
            new.push((name.clone(), Arc::new(method)));
        }
        state.methods.extend(new);
        state
            .waiting
            .retain(|(method, _)| !methods.iter().any(|(name, ..)| name == method));
        let names = methods.into_iter().map(|(name, kind, _)| (name, kind));
        state.plugins.entry(place).or_default().extend(names);
        Ok(())
    }

    /// Puts a hook around a method, outside those that it has. Until the registry is complete, the method need not be there.
    ///
    /// # Errors
    /// [`Error::NoSuchMethod`] if there is no such method, or it is of another kind.
    pub(crate) fn add_hook(&self, method: &str, hook: Arc<dyn Hook>) -> Result<(), Error> {
        let missing = || Error::NoSuchMethod {
            method: method.to_owned(),
            hook: hook.kind(),
            kind: None,
        };
        let name: MethodName = method.parse().map_err(|_| missing())?;
        let state = &mut *self.write();
        match state.methods.get_mut(&name) {
            Some(method) => {
                fitting(&name, method.kind, &hook)?;
                Arc::make_mut(method).hooks.push(hook);
            }
            None if state.complete => return Err(missing()),
            None => state.waiting.push((name, hook)),
        }
        Ok(())
    }

    /// [`add_hook`](Self::add_hook) for several.
    ///
    /// # Errors
    /// As for one.
    pub(crate) fn add_hooks(&self, hooks: &Hooks) -> Result<(), Error> {
        hooks
            .iter()
            .try_for_each(|(method, hook)| self.add_hook(method, hook.clone()))
    }

    /// All plugins have started.
    ///
    /// # Errors
    /// [`Error::NoSuchMethod`] if a hook still waits for its method.
    pub(crate) fn complete(&self) -> Result<(), Error> {
        let mut state = self.write();
        state.complete = true;
        match state.waiting.first() {
            None => Ok(()),
            Some((method, hook)) => Err(Error::NoSuchMethod {
                method: method.to_string(),
                hook: hook.kind(),
                kind: None,
            }),
        }
    }

    /// All methods with their kinds: those of the plugin that was used first come first, as in the original.
    pub(crate) fn manifest(&self) -> Manifest {
        let mut manifest = Manifest::new();
        for (method, kind) in self.read().plugins.values().flatten() {
            manifest.insert(method, *kind);
        }
        manifest
    }

    /// The call at the outermost hook of its method.
    fn next(&self, cx: Context) -> Result<Next, RemoteError> {
        let (name, kind) = (cx.method(), cx.kind());
        let method = self.find(name).filter(|method| takes(method.kind, kind));
        let method = method.ok_or_else(|| no_such_method(kind, name))?;
        Ok(Next::new(cx, method))
    }

    fn find(&self, name: &MethodName) -> Option<Arc<Method>> {
        let state = self.read();
        if let Some(method) = state.methods.get(name) {
            return Some(method.clone());
        }
        // A plain string is one part, even with dots in it; names are kept as lists.
        let mut parts = name.parts();
        match (parts.next(), parts.next()) {
            (Some(part), None) if !part.contains('.') => state.methods.get(&part.parse().ok()?).cloned(),
            _ => None,
        }
    }

    // Foreign code under the lock, a hook's `kind`, runs before anything is changed: a poisoned lock guards a consistent state.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What is in the way of a method of this name: the method itself, one above it or one beneath it. The manifest has room
    /// for either a method or a group under one name.
    fn at(&self, name: &MethodName) -> Option<&Method> {
        let meets = |other: &MethodName| other.parts().zip(name.parts()).all(|(a, b)| a == b);
        let there = self.methods.iter().find(|(other, _)| meets(other));
        there.map(|(_, method)| &**method)
    }
}

/// Whether a call of this kind is one for a method of that kind. Sync methods are called as async ones.
fn takes(method: CallType, call: CallType) -> bool {
    method == call || !(method.is_stream() || call.is_stream())
}

fn fitting<'a>(name: &MethodName, kind: CallType, hook: &'a Arc<dyn Hook>) -> Result<&'a Arc<dyn Hook>, Error> {
    match hook.kind() {
        Some(wanted) if !takes(kind, wanted) => Err(Error::NoSuchMethod {
            method: name.to_string(),
            hook: Some(wanted),
            kind: Some(kind),
        }),
        _ => Ok(hook),
    }
}

impl Service for Registry {
    fn call(&self, cx: Context) -> Answer {
        match self.next(cx) {
            Ok(next) => next.answer(),
            Err(error) => Answer::Ready(Err(error)),
        }
    }

    fn source(&self, cx: Context) -> Result<Items, RemoteError> {
        self.next(cx)?.source()
    }

    fn sink(&self, cx: Context, items: Incoming) -> Result<Consumption, RemoteError> {
        Ok(self.next(cx)?.sink(items))
    }

    fn duplex(&self, cx: Context, items: Incoming) -> Result<Items, RemoteError> {
        self.next(cx)?.duplex(items)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registry").field(&self.manifest()).finish()
    }
}

#[cfg(test)]
mod tests;
