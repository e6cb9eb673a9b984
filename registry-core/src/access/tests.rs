use std::fmt::Write;

use super::*;

const ROLES: [Option<Role>; 4] = [None, Some(Role::Read), Some(Role::Write), Some(Role::Admin)];
const TEAM_ROLES: [Option<TeamRole>; 4] =
    [None, Some(TeamRole::Member), Some(TeamRole::Creator), Some(TeamRole::Admin)];

fn name<T: fmt::Debug>(value: Option<T>) -> String {
    value.map_or("-".into(), |value| format!("{value:?}"))
}

fn line(table: &mut String, head: &str, facts: &Facts) {
    table.push_str(head);
    for action in Action::ALL {
        write!(table, " {action}={:?}", decide(facts, action)).unwrap();
    }
    table.push('\n');
}

/// Prints the whole policy, one line for each combination of facts that can come about: a role on a repository that is
/// missing is that of an administrator of its namespace.
fn policy() -> String {
    let mut table = String::new();
    for target in [Target::NoNamespace, Target::Missing] {
        for who in Who::ALL {
            for role in [None, Some(Role::Admin)] {
                for may_create in [false, true] {
                    let facts = Facts { who, role, target, may_create, intake: Intake::Open };
                    let create = if may_create { "create" } else { "-" };
                    line(&mut table, &format!("{target:?} {who:?} {} {create}:", name(role)), &facts);
                }
            }
        }
    }
    for target in [Target::Private, Target::Public] {
        for who in Who::ALL {
            for role in ROLES {
                for intake in Intake::ALL {
                    let facts = Facts { who, role, target, may_create: false, intake };
                    line(&mut table, &format!("{target:?} {who:?} {} {intake:?}:", name(role)), &facts);
                }
            }
        }
    }
    table
}

fn namespace_policy() -> String {
    let mut table = String::new();
    for exists in [false, true] {
        for who in Who::ALL {
            for role in TEAM_ROLES {
                for is_barred in [false, true] {
                    let facts = NamespaceFacts { who, exists, role, is_barred };
                    let (there, barred) =
                        (if exists { "there" } else { "missing" }, if is_barred { "barred" } else { "-" });
                    write!(table, "{there} {who:?} {} {barred}:", name(role)).unwrap();
                    for action in NamespaceAction::ALL {
                        let action_name = format!("{action:?}").to_lowercase();
                        write!(table, " {action_name}={:?}", decide_in_namespace(&facts, action)).unwrap();
                    }
                    table.push('\n');
                }
            }
        }
    }
    table
}

#[test]
fn the_policy_is_the_reviewed_table() {
    assert_eq!(policy(), include_str!("policy.expected"), "\n{}", policy());
}

fn registry_policy() -> String {
    let mut table = String::new();
    for who in Who::ALL {
        // Who is unrestricted is one, and neither readers nor those who are not signed in are.
        let can_be: &[bool] = match who {
            Who::Unrestricted => &[true],
            Who::Reader | Who::Anonymous => &[false],
            Who::SignedIn => &[false, true],
        };
        for &is_superuser in can_be {
            write!(table, "{who:?} {}:", if is_superuser { "superuser" } else { "-" }).unwrap();
            for action in RegistryAction::ALL {
                write!(table, " {action}={:?}", decide_in_registry(who, is_superuser, action)).unwrap();
            }
            table.push('\n');
        }
    }
    table
}

#[test]
fn the_policy_of_the_registry_is_the_reviewed_table() {
    assert_eq!(registry_policy(), include_str!("registry.expected"), "\n{}", registry_policy());
}

#[test]
fn the_policy_of_namespaces_is_the_reviewed_table() {
    assert_eq!(namespace_policy(), include_str!("namespaces.expected"), "\n{}", namespace_policy());
}
