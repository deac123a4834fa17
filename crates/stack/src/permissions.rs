//! Who may call what: what plugins say of it, put together, with where each rule comes from.

use std::collections::BTreeMap;
use std::fmt;

use handfast_mux::{MethodName, Verdict};
use serde::{Deserialize, Serialize};

use crate::{Error, Rights};

/// The role of whoever has no rights of its own: what everybody may call.
const ANONYMOUS: &str = "anonymous";

/// What peers in some role may call: `anonymous` is everybody, other roles are what a permission system makes of them.
///
/// A plugin's paths are relative to it; the node puts them together under the plugins' names, as the original does: each list
/// is followed by what is new in that of the next plugin. A path covers everything beneath it, and a denied one wins.
///
/// The JSON is the original's: `{"anonymous":{"allow":["localPeers"],"deny":null}}`.
///
/// ```
/// use handfast_stack::Permissions;
///
/// let core = Permissions::anonymous(["manifest"]);
/// let blobs = Permissions::anonymous(["get", "has"]).deny_anonymous(["has.secretly"]).of_plugin("blobs");
/// let all = core.merge(blobs);
/// assert_eq!(
///     serde_json::to_string(&all)?,
///     r#"{"anonymous":{"allow":["manifest","blobs.get","blobs.has"],"deny":["blobs.has.secretly"]}}"#
/// );
/// let rights = all.anonymous_rights()?;
/// let verdict = all.explain(rights.verdict(&"blobs.get".parse()?));
/// assert_eq!(verdict.to_string(), "allowed by rule allow:blobs.get of plugin blobs");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Permissions {
    roles: BTreeMap<String, Lists>,
}

/// The two lists of a role. `None` is a list that nobody has begun.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Lists {
    #[serde(default)]
    allow: Option<Vec<Rule>>,
    #[serde(default)]
    deny: Option<Vec<Rule>>,
}

/// A path, and the plugin that it comes from: empty if it comes from none, or from one without a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
struct Rule {
    path: String,
    plugin: String,
}

/// A verdict, and the plugin whose rule it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation<'a> {
    /// The verdict, with the rule.
    pub verdict: Verdict<'a>,
    /// The camel-cased name of the plugin that the rule comes from: empty for the core and for plugins without a name, `None`
    /// if the verdict rests on no rule, or on one that no plugin has made.
    pub plugin: Option<&'a str>,
}

impl Permissions {
    /// Everybody may call these.
    pub fn anonymous(allow: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::default().role(ANONYMOUS, allow, std::iter::empty::<String>())
    }

    /// Whoever has no rights of its own may not call these, even where a plugin allows them.
    #[must_use]
    pub fn deny_anonymous(self, deny: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.role(ANONYMOUS, std::iter::empty::<String>(), deny)
    }

    /// Whoever is in this role may call what is allowed and not what is denied, besides what is said already. An empty list
    /// says nothing.
    #[must_use]
    pub fn role(
        mut self,
        role: &str,
        allow: impl IntoIterator<Item = impl Into<String>>,
        deny: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let lists = self.roles.entry(role.to_owned()).or_default();
        add(&mut lists.allow, allow.into_iter().map(|path| Rule::from(path.into())));
        add(&mut lists.deny, deny.into_iter().map(|path| Rule::from(path.into())));
        self
    }

    /// These permissions followed by what is new in `other`, for each role.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        for (role, more) in other.roles {
            let lists = self.roles.entry(role).or_default();
            add(&mut lists.allow, more.allow.into_iter().flatten());
            add(&mut lists.deny, more.deny.into_iter().flatten());
        }
        self
    }

    /// The same permissions, as those of a plugin: its camel-cased name is put before each path, and is where the rules come
    /// from. A plugin without a name stands at the root.
    #[must_use]
    pub fn of_plugin(mut self, plugin: &str) -> Self {
        let lists = self.roles.values_mut();
        let rules = lists
            .flat_map(|lists| lists.allow.iter_mut().chain(&mut lists.deny))
            .flatten();
        for rule in rules {
            plugin.clone_into(&mut rule.plugin);
            if !plugin.is_empty() {
                rule.path = format!("{plugin}.{}", rule.path);
            }
        }
        self
    }

    /// What one peer in this role may call; nothing, if no plugin has said anything of it.
    ///
    /// # Errors
    /// [`Error::Rule`] for a rule that is no path of a method.
    pub fn rights(&self, role: &str) -> Result<Rights, Error> {
        let none = Lists::default();
        let lists = self.roles.get(role).unwrap_or(&none);
        // A role that only denies allows nothing: "everything" is never given by silence.
        let mut rights = Rights::none();
        for rule in lists.allow.iter().flatten() {
            rights = rights.allow([rule.path.as_str()]).map_err(|_| rule.is_wrong())?;
        }
        for rule in lists.deny.iter().flatten() {
            rights = rights.deny([rule.path.as_str()]).map_err(|_| rule.is_wrong())?;
        }
        Ok(rights)
    }

    /// What everybody may call.
    ///
    /// # Errors
    /// As [`rights`](Self::rights).
    pub fn anonymous_rights(&self) -> Result<Rights, Error> {
        self.rights(ANONYMOUS)
    }

    /// The plugin whose rule allows this path to everybody.
    pub fn origin_of_allow(&self, path: &MethodName) -> Option<&str> {
        origin(&self.roles.get(ANONYMOUS)?.allow, path)
    }

    /// The plugin whose rule denies this path to everybody.
    pub fn origin_of_deny(&self, path: &MethodName) -> Option<&str> {
        origin(&self.roles.get(ANONYMOUS)?.deny, path)
    }

    /// A verdict of the [rights of everybody](Self::anonymous_rights), with the plugin that its rule comes from.
    pub fn explain<'a>(&'a self, verdict: Verdict<'a>) -> Explanation<'a> {
        let plugin = match verdict {
            Verdict::Allowed { by: Some(path) } => self.origin_of_allow(path),
            Verdict::Denied { by } => self.origin_of_deny(by),
            Verdict::Allowed { by: None } | Verdict::NotListed => None,
        };
        Explanation { verdict, plugin }
    }
}

/// Begins the list if there is something for it; a path that is there keeps its place and its origin.
fn add(list: &mut Option<Vec<Rule>>, more: impl Iterator<Item = Rule>) {
    for rule in more {
        let list = list.get_or_insert_default();
        if !list.iter().any(|there| there.path == rule.path) {
            list.push(rule);
        }
    }
}

fn origin<'a>(list: &'a Option<Vec<Rule>>, path: &MethodName) -> Option<&'a str> {
    let path = path.to_string();
    let rule = list.iter().flatten().find(|rule| rule.path == path)?;
    Some(&rule.plugin)
}

impl Rule {
    fn is_wrong(&self) -> Error {
        Error::Rule {
            plugin: self.plugin.clone(),
            path: self.path.clone(),
        }
    }
}

impl From<String> for Rule {
    fn from(path: String) -> Self {
        Self {
            path,
            plugin: String::new(),
        }
    }
}

impl From<Rule> for String {
    fn from(rule: Rule) -> Self {
        rule.path
    }
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.verdict.fmt(f)?;
        match self.plugin {
            None => Ok(()),
            Some("") => f.write_str(" of the core or a plugin without a name"),
            Some(plugin) => write!(f, " of plugin {plugin}"),
        }
    }
}
