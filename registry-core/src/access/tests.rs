use std::fmt::Write;

use super::*;

const ROLES: [Option<Role>; 4] = [None, Some(Role::Read), Some(Role::Write), Some(Role::Admin)];
const TEAM_ROLES: [Option<TeamRole>; 4] =
    [None, Some(TeamRole::Member), Some(TeamRole::Creator), Some(TeamRole::Admin)];

fn name<T: fmt::Debug>(value: Option<T>) -> String {
    value.map_or("-".into(), |value| format!("{value:?}"))
}

/// The kinds of credentials, in the order of the columns.
fn caps() -> Vec<(String, Cap)> {
    let mut caps = vec![("own".to_owned(), Cap::FULL), ("app".to_owned(), Cap::APP)];
    caps.extend(Scope::ALL.map(|scope| (scope.name().to_owned(), Scopes::from_iter([scope]).cap())));
    caps.push(("pull job".to_owned(), Cap::of_job(false)));
    caps.push(("push job".to_owned(), Cap::of_job(true)));
    caps.push(("listed".to_owned(), Cap::REPOSITORIES));
    caps.push(("unlisted".to_owned(), Cap::NOTHING));
    caps
}

fn letter(verdict: Verdict) -> char {
    match verdict {
        Verdict::Granted => 'g',
        Verdict::Denied => 'D',
        Verdict::Hidden => 'H',
        Verdict::SignIn => 'S',
    }
}

/// What stands above a table: what its letters and columns mean.
fn legend<A: fmt::Debug>(actions: &[A]) -> String {
    let actions: Vec<String> = actions.iter().map(|action| format!("{action:?}").to_lowercase()).collect();
    let columns = caps().into_iter().map(|(name, _)| format!("{name:>12}")).collect::<String>();
    format!(
        "# One letter for each of {}, by the credential.\n# g granted, D denied, H hidden, S sign in first.\n{:42}{columns}\n",
        actions.join(", "),
        ""
    )
}

fn line(table: &mut String, head: &str, verdicts: impl Fn(Cap) -> String) {
    write!(table, "{head:42}").unwrap();
    for (_, cap) in caps() {
        write!(table, "{:>12}", verdicts(cap)).unwrap();
    }
    table.push('\n');
}

/// Prints the whole policy, one line for each combination of facts that can come about: a role on a repository that is
/// missing is that of an administrator of its namespace.
fn policy() -> String {
    let mut table = legend(&Action::ALL);
    let mut add = |facts: &Facts, last: &str| {
        let head = format!("{:?} {:?} {} {last}", facts.target, facts.who, name(facts.role));
        line(&mut table, &head, |cap| {
            Action::ALL.map(|action| letter(decide(&Facts { cap, ..*facts }, action))).iter().collect()
        });
    };
    let cap = Cap::FULL;
    for target in [Target::NoNamespace, Target::Missing] {
        for who in Who::ALL {
            for role in [None, Some(Role::Admin)] {
                for may_create in [false, true] {
                    let facts = Facts { who, role, target, may_create, intake: Intake::Open, cap };
                    add(&facts, if may_create { "create" } else { "-" });
                }
            }
        }
    }
    for target in [Target::Private, Target::Public] {
        for who in Who::ALL {
            for role in ROLES {
                for intake in Intake::ALL {
                    let facts = Facts { who, role, target, may_create: false, intake, cap };
                    add(&facts, &format!("{intake:?}"));
                }
            }
        }
    }
    table
}

fn namespace_policy() -> String {
    let mut table = legend(&NamespaceAction::ALL);
    let mut add = |facts: &NamespaceFacts, there: &str| {
        let barred = if facts.is_barred { "barred" } else { "-" };
        let head = format!("{there} {:?} {} {barred}", facts.who, name(facts.role));
        line(&mut table, &head, |cap| {
            let verdict = |action| decide_in_namespace(&NamespaceFacts { cap, ..*facts }, action);
            NamespaceAction::ALL.map(|action| letter(verdict(action))).iter().collect()
        });
    };
    for (there, exists, is_own) in [("missing", false, false), ("there", true, false), ("own", true, true)] {
        for who in Who::ALL {
            for role in TEAM_ROLES {
                // One administers one's own namespace.
                if is_own && (role != Some(TeamRole::Admin) || who == Who::Anonymous) {
                    continue;
                }
                for is_barred in [false, true] {
                    add(&NamespaceFacts { who, exists, role, is_own, is_barred, cap: Cap::FULL }, there);
                }
            }
        }
    }
    table
}

fn account_policy() -> String {
    let mut table = legend(&AccountAction::ALL);
    for (head, is_signed_in, is_superuser, is_reader) in [
        ("nobody", false, false, false),
        ("signed in", true, false, false),
        ("superuser", true, true, false),
        ("reader", true, false, true),
    ] {
        line(&mut table, head, |cap| {
            let facts = AccountFacts { is_signed_in, is_superuser, is_reader, cap };
            AccountAction::ALL.map(|action| letter(decide_for_account(&facts, action))).iter().collect()
        });
    }
    table
}

/// No credential gets anything that its principal does not.
#[test]
fn no_credential_widens_what_its_principal_may() {
    for table in [policy(), namespace_policy(), account_policy()] {
        for row in table.lines().skip(3) {
            let cells: Vec<&str> = row[42..].split_whitespace().collect();
            for cell in &cells[1..] {
                let is_wider = |(own, narrowed): (char, char)| narrowed == 'g' && own != 'g';
                assert!(!cells[0].chars().zip(cell.chars()).any(is_wider), "{row}");
            }
        }
    }
}

#[test]
fn the_policy_is_the_reviewed_table() {
    assert_eq!(policy(), include_str!("policy.expected"), "\n{}", policy());
}

#[test]
fn the_policy_of_namespaces_is_the_reviewed_table() {
    assert_eq!(namespace_policy(), include_str!("namespaces.expected"), "\n{}", namespace_policy());
}

#[test]
fn the_policy_of_accounts_is_the_reviewed_table() {
    assert_eq!(account_policy(), include_str!("accounts.expected"), "\n{}", account_policy());
}
