//! A stage whose upstream is the sandbox: one asks the other over loopback, on one clock.

use std::net::Ipv4Addr;

use domain::upstream::{ApiAccess, Upstream};
use jiff::{SignedDuration, Timestamp};
use relay::bandwidth::{self, Answer, Ask};
use reqwest::Method;
use simulator::sandbox::{Sandbox, Serving, Settings};
use tokio::net::TcpListener;

use crate::stage::{Stage, UPSTREAM};

/// The two take turns of this length.
const TURN: SignedDuration = SignedDuration::from_mins(5);

pub(crate) struct Ground {
    pub(crate) stage: Stage,
    pub(crate) sandbox: Sandbox,
    /// Where the relay is reached.
    pub(crate) relay_url: String,
    access: ApiAccess,
    _serving: Serving,
}

impl Ground {
    /// `settings` changes those of the sandbox.
    pub(crate) async fn new(settings: impl FnOnce(&mut Settings)) -> Ground {
        let stage = Box::pin(Stage::new(0, None)).await;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let relay_url = format!("http://{}", listener.local_addr().unwrap());
        let router = stage.world.router();
        tokio::spawn(async move { axum::serve(listener, router).await });

        let mut wanted = Settings::new(stage.clock.clone());
        wanted.account = UPSTREAM.into();
        settings(&mut wanted);
        let (username, password) = (wanted.username.clone(), wanted.password.clone());
        let sandbox = Sandbox::new(wanted);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let serving = sandbox.serve(listener).unwrap();
        let vault = &stage.world.vault;
        let sealed = bandwidth::seal(vault, UPSTREAM, &password.into()).await.unwrap();
        let access = ApiAccess {
            url: format!("{}/api", serving.url()),
            username,
            sealed_password: sealed,
            gateway_since: None,
        };
        let store = &stage.world.store;
        let old = store.refreshed_upstream(UPSTREAM).await.unwrap().unwrap();
        let api = Some(access.clone());
        let new = Upstream { api, revision: old.revision + 1, ..Upstream::clone(&old) };
        store.put_upstream(&new).await.unwrap();
        // By then all know it.
        stage.clock.advance(SignedDuration::from_secs(6));
        Ground { stage, sandbox, relay_url, access, _serving: serving }
    }

    /// Asks the sandbox, past the relay's own doings.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<&str>) -> Answer {
        let body = body.map(str::to_owned);
        let content_type = body.is_some().then_some("application/xml");
        let ask = Ask { method, path, content_type, body };
        self.stage.world.bandwidth().ask(UPSTREAM, &self.access, ask).await.unwrap()
    }

    /// Makes something at the sandbox, when it may.
    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        let answer = loop {
            let answer = self.ask(Method::POST, path, Some(body)).await;
            if answer.status != 429 {
                break answer;
            }
            // Whoever reconciles has asked as often as may be.
            self.run_for(TURN).await;
        };
        let said = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, 201, "{path} {body} {said}");
        answer
    }

    pub(crate) async fn run_for(&self, time: SignedDuration) {
        self.run_until(self.stage.clock.now() + time).await;
    }

    /// Both go on until then.
    pub(crate) async fn run_until(&self, until: Timestamp) {
        while self.stage.clock.now() < until {
            let next = (self.stage.clock.now() + TURN).min(until);
            self.stage.world.run_until(next).await;
            self.sandbox.run_due().await;
        }
    }
}
