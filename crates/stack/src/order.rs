//! In which order plugins start.

use std::collections::HashMap;
use std::sync::Arc;

use crate::{Error, Plugin, camel_case};

/// A plugin and its place among those that are used, by which the manifest is ordered.
pub(crate) type Placed = (usize, Arc<dyn Plugin>);

/// The plugins in the order in which they start: the first in the order of use whose needs have all started, again and again.
///
/// # Errors
/// [`Error::ReservedName`], [`Error::DuplicatePlugin`], [`Error::MissingPlugin`] and [`Error::Cycle`].
pub(crate) fn in_order(plugins: &[Arc<dyn Plugin>]) -> Result<Vec<Placed>, Error> {
    let places = places(plugins)?;
    let mut waiting: Vec<Waiting> = plugins
        .iter()
        .enumerate()
        .map(|(place, plugin)| Waiting::new(place, plugin, &places))
        .collect::<Result<_, _>>()?;
    let mut order = Vec::with_capacity(plugins.len());
    let mut started = vec![false; plugins.len()];
    let is_started = |started: &[bool], place: &usize| started.get(*place).copied().unwrap_or(true);
    while !waiting.is_empty() {
        let ready = |next: &Waiting| next.needs.iter().all(|place| is_started(&started, place));
        let Some(first) = waiting.iter().position(ready) else {
            return Err(circle(&waiting));
        };
        let Waiting { place, plugin, .. } = waiting.remove(first);
        if let Some(started) = started.get_mut(place) {
            *started = true;
        }
        order.push((place, plugin));
    }
    Ok(order)
}

/// A plugin that has not started, and the places of those that must start before it.
struct Waiting {
    place: usize,
    plugin: Arc<dyn Plugin>,
    needs: Vec<usize>,
}

impl Waiting {
    fn new(place: usize, plugin: &Arc<dyn Plugin>, places: &HashMap<String, usize>) -> Result<Self, Error> {
        let find = |needed: &&str| {
            places
                .get(&camel_case(needed))
                .copied()
                .ok_or_else(|| Error::MissingPlugin {
                    plugin: plugin.name().to_owned(),
                    needs: (*needed).to_owned(),
                })
        };
        Ok(Self {
            place,
            plugin: plugin.clone(),
            needs: plugin.needs().iter().map(find).collect::<Result<_, _>>()?,
        })
    }
}

/// The place of each plugin that has a name.
fn places(plugins: &[Arc<dyn Plugin>]) -> Result<HashMap<String, usize>, Error> {
    let mut places = HashMap::new();
    for (place, plugin) in plugins.iter().enumerate() {
        let name = camel_case(plugin.name());
        if name == "global" {
            return Err(Error::ReservedName(plugin.name().to_owned()));
        }
        if name.is_empty() {
            continue;
        }
        if let Some(first) = places.insert(name.clone(), place) {
            return Err(Error::DuplicatePlugin {
                name,
                first: plugins
                    .get(first)
                    .map(|first| first.name().to_owned())
                    .unwrap_or_default(),
                second: plugin.name().to_owned(),
            });
        }
    }
    Ok(places)
}

/// None of those that wait can start, so whoever follows their needs comes round to where he was.
fn circle(waiting: &[Waiting]) -> Error {
    let mut path: Vec<&Waiting> = Vec::new();
    let mut at = waiting.first();
    while let Some(here) = at {
        if let Some(start) = path.iter().position(|seen| seen.place == here.place) {
            path.drain(..start);
            path.push(here);
            break;
        }
        path.push(here);
        at = waiting.iter().find(|other| here.needs.contains(&other.place));
    }
    let names = path.iter().map(|waiting| match waiting.plugin.name() {
        "" => "(without a name)".to_owned(),
        name => name.to_owned(),
    });
    Error::Cycle { path: names.collect() }
}
