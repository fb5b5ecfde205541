//! Who may use the control socket: members of one group may read, members of another may also
//! decide.
//!
//! The kernel names the user at the other end of the socket. The groups of that user are those of
//! the machine's database of users, also where it is a directory service.

use std::ffi::CString;
use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::unistd::{Gid, Group, Uid, User, geteuid, getgrouplist};

use super::http::Peer;

/// The group that may open the socket: its directory gives the socket this group.
pub const VIEW_GROUP: &str = "stockrelay-view";
/// The group that may also send decisions.
pub const DECIDE_GROUP: &str = "stockrelay-decide";

/// The rights of the users of one socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// The name of the group that may decide.
    decide: String,
}

impl Default for Rights {
    fn default() -> Self {
        Self::of_group(DECIDE_GROUP)
    }
}

/// The user may not decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MayNotDecide {
    pub user: String,
    pub group: String,
    /// The machine has no group of this name.
    pub is_group_missing: bool,
}

impl fmt::Display for MayNotDecide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, group, .. } = self;
        if self.is_group_missing {
            return write!(
                f,
                "user {user} may not decide: the group {group}, whose members may, does not exist"
            );
        }
        write!(
            f,
            "user {user} is not in the group {group}, whose members may decide"
        )
    }
}

impl MayNotDecide {
    #[must_use]
    pub fn remedy(&self) -> String {
        let Self { user, group, .. } = self;
        let create = if self.is_group_missing {
            format!("creates the group with `groupadd --system {group}` and ")
        } else {
            String::new()
        };
        format!(
            "nothing was changed; an administrator {create}lets {user} decide with `usermod -aG {group} {user}`"
        )
    }
}

impl Rights {
    /// Members of this group may decide.
    #[must_use]
    pub fn of_group(decide: &str) -> Self {
        Self {
            decide: decide.to_owned(),
        }
    }

    /// Describes that only root and the daemon's user may decide, if the group does not exist.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let is_missing = matches!(Group::from_name(&self.decide), Ok(None));
        is_missing.then(|| {
            format!(
                "the group {} does not exist, so only root and the user {} may decide: install systemd/stockrelay.sysusers",
                self.decide,
                user_name(Some(geteuid().as_raw()))
            )
        })
    }

    /// Whether the user at the other end of the socket may decide: root, the daemon's user, and
    /// members of the group. Reads the machine's database of users: a blocking call.
    pub fn check(&self, peer: Peer) -> Result<(), MayNotDecide> {
        let refused = || MayNotDecide {
            user: user_name(peer.uid),
            group: self.decide.clone(),
            is_group_missing: false,
        };
        let uid = Uid::from_raw(peer.uid.ok_or_else(refused)?);
        if uid.is_root() || uid == geteuid() {
            return Ok(());
        }
        let group = match Group::from_name(&self.decide) {
            Ok(Some(group)) => group.gid,
            Ok(None) => {
                return Err(MayNotDecide {
                    is_group_missing: true,
                    ..refused()
                });
            }
            // The directory service does not answer: only root and the daemon's user may decide.
            Err(_) => return Err(refused()),
        };
        let is_own = peer.gid == Some(group.as_raw());
        if is_own || groups_of(uid).contains(&group) {
            return Ok(());
        }
        Err(refused())
    }
}

/// The groups of a user.
fn groups_of(uid: Uid) -> Vec<Gid> {
    let Ok(Some(user)) = User::from_uid(uid) else {
        return Vec::new();
    };
    let Ok(name) = CString::new(user.name) else {
        return Vec::new();
    };
    getgrouplist(&name, user.gid).unwrap_or_default()
}

/// Finds the name of a user of this machine; the number if the user has no name.
#[must_use]
pub fn user_name(uid: Option<u32>) -> String {
    let Some(uid) = uid else {
        return "unknown".to_owned();
    };
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => user.name,
        _ => uid.to_string(),
    }
}

/// Describes what lets the user of this process open a socket: the command that adds the user to
/// the group of the socket, or of the nearest directory that the user may look at.
#[must_use]
pub fn describe_access(socket: &Path) -> String {
    let user = user_name(Some(geteuid().as_raw()));
    let gid = socket.ancestors().find_map(|path| path.metadata().ok());
    let gid = gid.map(|found| Gid::from_raw(found.gid()));
    let group = gid.filter(|gid| gid.as_raw() != 0).map(Group::from_gid);
    let group = match group {
        Some(Ok(Some(group))) => group.name,
        _ => VIEW_GROUP.to_owned(),
    };
    format!(
        "an administrator adds the user to the group {group} with `usermod -aG {group} {user}`; then log in again, or run the command as root"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A user that every machine has, and that is in no other group than its own.
    const NOBODY: u32 = 65_534;

    fn peer(uid: u32, gid: u32) -> Peer {
        Peer {
            uid: Some(uid),
            gid: Some(gid),
        }
    }

    #[test]
    fn root_the_daemon_and_members_may_decide() {
        let rights = Rights::of_group("root");
        assert_eq!(rights.check(peer(0, 0)), Ok(()));
        assert_eq!(rights.check(peer(geteuid().as_raw(), NOBODY)), Ok(()));
        // As with `sg`: the group of the process is the group.
        assert_eq!(rights.check(peer(NOBODY, 0)), Ok(()));
        let refused = rights.check(peer(NOBODY, NOBODY)).unwrap_err();
        assert_eq!(refused.group, "root");
        let text = format!("{refused}; {}", refused.remedy());
        let command = format!("usermod -aG root {}", refused.user);
        assert!(text.contains(&command), "{text}");
        // The kernel did not name the user.
        let unknown = Peer {
            uid: None,
            gid: None,
        };
        assert!(rights.check(unknown).is_err());
    }

    #[test]
    fn without_the_group_only_root_and_the_daemon_may_decide() {
        let rights = Rights::of_group("stockrelay-no-such-group");
        assert_eq!(rights.check(peer(0, NOBODY)), Ok(()));
        assert_eq!(rights.check(peer(geteuid().as_raw(), NOBODY)), Ok(()));
        let refused = rights.check(peer(NOBODY, NOBODY)).unwrap_err();
        assert!(refused.to_string().contains("does not exist"), "{refused}");
        let remedy = refused.remedy();
        let command = "groupadd --system stockrelay-no-such-group";
        assert!(
            remedy.contains(command) && remedy.contains("usermod"),
            "{remedy}"
        );
        let warning = rights.warning().unwrap();
        assert!(warning.contains("stockrelay-no-such-group"), "{warning}");
        assert_eq!(Rights::of_group("root").warning(), None);
    }

    #[test]
    fn a_closed_door_names_the_group_and_the_command() {
        let text = describe_access(Path::new("/proc/1/no-such-socket"));
        assert!(text.contains("usermod -aG stockrelay-view"), "{text}");
    }

    #[test]
    fn a_user_without_a_name_has_a_number() {
        assert_eq!(user_name(Some(0)), "root");
        assert_eq!(user_name(Some(4_000_000_000)), "4000000000");
        assert_eq!(user_name(None), "unknown");
    }
}
