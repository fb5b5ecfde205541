//! The groups of people who may use the control socket.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::unistd::{Gid, Group};

use super::Finding;
use crate::view::rights::{DECIDE_GROUP, VIEW_GROUP};

/// The name of these findings.
const GROUPS: &str = "groups";
const NO_VIEW: &str = "only root and the daemon's user can use `stockrelay top` and `status`";
const NO_DECIDE: &str = "only root and the daemon's user can retry, edit and discard documents";
const INSTALL: &str = "run `systemd-sysusers stockrelay.conf && systemd-tmpfiles --create stockrelay.conf`, and restart stockrelay";

/// Checks that people can watch the gateway, and that only chosen people can decide. `socket` is
/// the daemon's.
#[must_use]
pub fn groups(socket: &Path) -> Vec<Finding> {
    let view = Group::from_name(VIEW_GROUP).ok().flatten();
    let decide = Group::from_name(DECIDE_GROUP).ok().flatten();
    let of_socket = socket.metadata().ok().map(|found| found.gid());
    let wrong = (view.as_ref().zip(of_socket))
        .filter(|(view, gid)| view.gid.as_raw() != *gid)
        .map(|(_, gid)| other_group(socket, gid));
    let mut findings = judge(
        view.as_ref().map(|group| group.mem.as_slice()),
        decide.as_ref().map(|group| group.mem.as_slice()),
    );
    findings.extend(wrong);
    findings
}

/// Judges the members of both groups. `None`: the group does not exist.
fn judge(view: Option<&[String]>, decide: Option<&[String]>) -> Vec<Finding> {
    let of_view = match view {
        None => Finding::warn(
            GROUPS,
            format!("the group {VIEW_GROUP} does not exist"),
            NO_VIEW,
            INSTALL,
        ),
        Some([]) => Finding::warn(
            GROUPS,
            format!("the group {VIEW_GROUP} has no member"),
            NO_VIEW,
            format!("run `usermod -aG {VIEW_GROUP} NAME` for each person who watches the gateway"),
        ),
        Some(members) => Finding::ok(GROUPS, describe(VIEW_GROUP, "watch the gateway", members)),
    };
    let of_decide = match decide {
        None => Finding::warn(
            GROUPS,
            format!("the group {DECIDE_GROUP} does not exist"),
            NO_DECIDE,
            INSTALL,
        ),
        Some([]) => Finding::warn(
            GROUPS,
            format!("the group {DECIDE_GROUP} has no member"),
            NO_DECIDE,
            format!(
                "run `usermod -aG {VIEW_GROUP},{DECIDE_GROUP} NAME` for each person who decides"
            ),
        ),
        Some(members) => Finding::ok(
            GROUPS,
            describe(DECIDE_GROUP, "decide about documents", members),
        ),
    };
    let shut_out = decide.unwrap_or_default().iter().filter(|name| {
        let may_open = |view: &[String]| view.contains(name);
        !view.is_none_or(may_open)
    });
    let shut_out = shut_out.map(|name| {
        Finding::warn(
            GROUPS,
            format!("user {name} is in the group {DECIDE_GROUP} and not in {VIEW_GROUP}"),
            format!("{name} cannot open the control socket, and decides nothing"),
            format!("run `usermod -aG {VIEW_GROUP} {name}`"),
        )
    });
    [of_view, of_decide].into_iter().chain(shut_out).collect()
}

fn describe(group: &str, what: &str, members: &[String]) -> String {
    format!("members of {group} may {what}: {}", members.join(", "))
}

/// The socket belongs to another group than that of the people who watch.
fn other_group(socket: &Path, gid: u32) -> Finding {
    let group = Group::from_gid(Gid::from_raw(gid)).ok().flatten();
    let group = group.map_or_else(|| gid.to_string(), |group| group.name);
    Finding::warn(
        GROUPS,
        format!(
            "the control socket {} belongs to the group {group}",
            socket.display()
        ),
        format!("members of {VIEW_GROUP} cannot open it"),
        "run `systemd-tmpfiles --create` with systemd/stockrelay.tmpfiles installed, then restart stockrelay",
    )
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn judge_members(view: Option<&[&str]>, decide: Option<&[&str]>) -> Vec<Finding> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let (view, decide): (Option<Vec<_>>, Option<Vec<_>>) = (view.map(owned), decide.map(owned));
        judge(view.as_deref(), decide.as_deref())
    }

    fn warnings(findings: &[Finding]) -> Vec<&Finding> {
        let warns = findings.iter().filter(|it| it.level == Level::Warn);
        warns.collect()
    }

    #[test]
    fn a_missing_group_is_named_with_its_effect_and_its_remedy() {
        let findings = judge_members(None, None);
        let found = warnings(&findings);
        assert_eq!(found.len(), 2);
        assert!(found[0].why.contains("only root"), "{}", found[0]);
        assert!(
            found[1].why.ends_with("retry, edit and discard documents"),
            "{}",
            found[1]
        );
        for finding in found {
            assert!(finding.remedy.contains("systemd-sysusers"), "{finding}");
        }
    }

    #[test]
    fn a_group_without_members_has_the_command_that_adds_one() {
        let findings = judge_members(Some(&[]), Some(&[]));
        let found = warnings(&findings);
        assert!(found[0].remedy.contains("usermod -aG stockrelay-view NAME"));
        assert!(
            found[1]
                .remedy
                .contains("usermod -aG stockrelay-view,stockrelay-decide NAME")
        );
    }

    #[test]
    fn who_may_decide_must_also_be_able_to_open_the_socket() {
        let findings = judge_members(Some(&["anna", "ben"]), Some(&["anna"]));
        assert_eq!(warnings(&findings), Vec::<&Finding>::new());
        assert!(findings[0].what.ends_with(": anna, ben"), "{}", findings[0]);
        let findings = judge_members(Some(&["anna"]), Some(&["anna", "cem"]));
        let found = warnings(&findings);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].remedy, "run `usermod -aG stockrelay-view cem`");
    }

    #[test]
    fn a_socket_of_another_group_is_named() {
        let finding = other_group(Path::new("/run/stockrelay/control.sock"), 0);
        assert!(finding.what.contains("the group root"), "{finding}");
    }
}
