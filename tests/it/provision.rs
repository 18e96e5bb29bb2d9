//! The provisioning playbook with real servers: its users log in with the passwords of the secret, may do what they are
//! for, and nobody enters without one.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use jiff::Timestamp;
use orchestrate::aws::{self, Settings};
use orchestrate::cli::sandboxed::seed_for;
use orchestrate::engine::journal::{MemoryJournal, Record, Rest};
use orchestrate::engine::{Clock, End, Engine, Ledger, Sink};
use orchestrate::steps::redis::{DataPlane, Secret, Target, Wire};
use orchestrate::steps::{Env, registry};
use orchestrate_sandbox::{Clock as SandboxClock, Sandbox, ServerPolicy};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::world::{RUN, compiled};

#[derive(Debug)]
struct Shared(Clock);

impl SandboxClock for Shared {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

#[test]
fn the_users_of_the_provisioning_playbook_log_in_to_real_servers_with_the_secret_s_passwords() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let plan = compiled("provision-memorydb", Map::new());
        // A quarter of an hour in a second and a half.
        let clock = Clock::tokio(Timestamp::now(), 600.0);
        let sandbox = Sandbox::builder()
            .clock(Arc::new(Shared(clock.clone())))
            .servers(ServerPolicy::Auto)
            .build()
            .expect("a sandbox");
        let pem =
            sandbox.ca_pem().expect("a Redis or Valkey server is on PATH: tests/run says how");
        sandbox.seed(seed_for(&plan)).await.expect("the seed fits");
        let settings = Settings {
            clock: clock.clone(),
            region: Some("us-east-1".to_owned()),
            path_style: true,
            in_process: Some(sandbox.http_client()),
            paced: false,
        };
        let clients = aws::connect(&settings).await.expect("an in-process connection");
        let identity = aws::identify(&clients).await.expect("the sandbox knows who we are");
        let wire = Rc::new(Wire::new(Some(pem.into_bytes())));
        let env = Rc::new(Env::new(clients.clone(), identity, wire.clone(), &clock));
        let kinds = registry(&env);
        let header = Record::Started {
            run: RUN.parse().expect("a run id"),
            tool: "test".to_owned(),
            by: "tester".to_owned(),
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            embedded: true,
            plan: Box::new(plan),
        };
        let journal = MemoryJournal::default();
        // What a report could show, and what `--json` prints.
        let told = Rc::new(RefCell::new(String::new()));
        let sink: Sink = {
            let told = Rc::clone(&told);
            Rc::new(move |event| told.borrow_mut().push_str(&format!("{event:?}\n")))
        };
        let ledger = Ledger::begin(Box::new(journal.clone()), header, clock.clone(), sink).await;
        let ledger = Rc::new(ledger.expect("a header"));
        let engine = Engine::new(&kinds, Rc::clone(&ledger), clock, CancellationToken::new());
        let end = engine.run().await;
        assert_eq!(
            end,
            End::Rest(Rest::Succeeded),
            "{:?}",
            ledger.state(|s| s.failed().map(|f| f.1.failure.clone()))
        );

        let secret = clients.secretsmanager.get_secret_value().secret_id("memorydb/shop");
        let secret = secret.send().await.expect("the secret").secret_string.expect("it is text");
        let passwords: Map<String, Value> = serde_json::from_str(&secret).expect("it is JSON");
        let outputs = ledger.state(|state| state.playbook_outputs());
        let endpoint = outputs["endpoint"].as_str().expect("an endpoint");
        let (host, port) = endpoint.rsplit_once(':').expect("host and port");
        let open = |user: Option<&str>, password: Option<&str>| {
            let target = Target {
                host: host.to_owned(),
                port: port.parse().expect("a port"),
                tls: true,
                user: user.map(str::to_owned),
                password: password.map(|password| Secret::new(password.to_owned())),
            };
            let wire = Rc::clone(&wire);
            async move { wire.open(&target).await }
        };
        for field in ["app", "reader", "admin"] {
            let user = format!("shop-{field}");
            let password = passwords[field].as_str().expect("a password");
            assert_eq!(password.len(), 40, "{field}");
            let mut store = open(Some(&user), Some(password)).await.expect("it logs in");
            assert_eq!(store.shards(), 2);
            assert_eq!(store.count().await.expect("it may count"), 0);
            assert!(open(Some(&user), Some("not-the-password-of-anybody")).await.is_err());
            // Nobody's password is in the journal.
            let journaled = serde_json::to_string(&journal.entries()).expect("it is JSON");
            assert!(!journaled.contains(password), "the password of {field} is in the journal");
            assert!(!told.borrow().contains(password), "the password of {field} was told");
            let outputs = serde_json::to_string(&outputs).expect("it is JSON");
            assert!(!outputs.contains(password), "the password of {field} is an output");
        }
        assert!(open(None, None).await.is_err(), "somebody entered without a password");
        sandbox.stop().await;
    });
}
