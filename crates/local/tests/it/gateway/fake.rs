//! What stands for Bandwidth's API, and a stage on which two tenants place orders there.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::upstream::{ApiAccess, Rule, Upstream};
use futures::future::{BoxFuture, FutureExt as _};
use jiff::{SignedDuration, Timestamp};
use relay::bandwidth;
use relay::setup::{self, Login};
use relay::store::Tenant;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use crate::stage::{Stage, TENANT, UPSTREAM};

/// The other tenant, which owns what begins with `other-`.
pub(super) const OTHER: &str = "5500002";

/// As whom the relay asks Bandwidth.
pub(super) const USERNAME: &str = "operator & co";
pub(super) const PASSWORD: &str = "open-sesame";

/// What Bandwidth was asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// `POST /api/accounts/9900012/orders`.
    pub(super) line: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

type Script = Arc<dyn Fn(Asked) -> BoxFuture<'static, Response> + Send + Sync>;

#[derive(Clone)]
struct Fake {
    script: Script,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A stage, Bandwidth behind it, and two tenants whose gateway has been open for long enough.
pub(super) struct Gate {
    pub(super) stage: Stage,
    pub(super) url: String,
    pub(super) other: Login,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// What the relay answered.
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Gate {
    /// `script` is how Bandwidth answers.
    pub(super) async fn new<F>(script: impl Fn(Asked) -> F + Send + Sync + 'static) -> Gate
    where
        F: Future<Output = Response> + Send + 'static,
    {
        let stage = Box::pin(Stage::new(0, None)).await;
        let asked = Arc::default();
        let script: Script = Arc::new(move |asked| script(asked).boxed());
        let url = serve(Fake { script, asked: Arc::clone(&asked) }).await;
        let now = stage.world.relay_clock().now();
        let store = &stage.world.store;
        let other = setup::tenant(store, OTHER, now).await.unwrap();
        let gate = Gate { stage, url, other, asked };
        gate.open_since(Some(now - SignedDuration::from_secs(10))).await;
        for tenant in [TENANT, OTHER] {
            gate.place_at(tenant, Some(UPSTREAM)).await;
        }
        gate
    }

    /// A gate whose Bandwidth answers all with this.
    pub(super) async fn answering(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Gate {
        let mut answer = Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        let (parts, ()) = answer.body(()).unwrap().into_parts();
        let body = body.to_owned();
        Gate::new(move |_| {
            std::future::ready(Response::from_parts(parts.clone(), Body::from(body.clone())))
        })
        .await
    }

    /// Asks as an operator.
    pub(super) async fn operate(&self, method: &str, path: &str, body: &str) -> u16 {
        let world = &self.stage.world;
        let operator = setup::operator(&world.store, world.relay_clock().now()).await.unwrap();
        let path = format!("/relay/v1/upstreams/{UPSTREAM}{path}");
        let json = [("content-type", "application/json")];
        ask(world.router(), &operator, method, &path, &json, body.to_owned()).await.status
    }

    /// Opens or closes the gateway, as an operator did then.
    pub(super) async fn open_since(&self, since: Option<Timestamp>) {
        self.reach(&self.url, since).await;
    }

    pub(super) async fn reach(&self, url: &str, gateway_since: Option<Timestamp>) {
        let world = &self.stage.world;
        let password = PASSWORD.to_owned().into();
        let sealed_password = bandwidth::seal(&world.vault, UPSTREAM, &password).await.unwrap();
        let username = USERNAME.into();
        let api = ApiAccess { url: url.into(), username, sealed_password, gateway_since };
        self.change(|upstream| Upstream { api: Some(api.clone()), ..upstream }).await;
    }

    /// Has what begins with `other-` be the other tenant's, and the rest the first one's.
    pub(super) async fn give_to_other(&self, prefix: &str) {
        let rules = vec![Rule { prefix: prefix.into(), tenant: OTHER.into() }];
        self.change(|upstream| Upstream { rules: rules.clone(), ..upstream }).await;
    }

    /// Opens another upstream's gateway, behind which is the same.
    pub(super) async fn open_as_well(&self, account: &str) {
        let store = &self.stage.world.store;
        let [first, other] = [UPSTREAM, account].map(|account| store.refreshed_upstream(account));
        let (first, other) = (first.await.unwrap().unwrap(), other.await.unwrap().unwrap());
        let (api, revision) = (first.api.clone(), other.revision + 1);
        let new = Upstream { api, revision, ..Upstream::clone(&other) };
        store.put_upstream(&new).await.unwrap();
        store.refreshed_upstream(account).await.unwrap();
    }

    async fn change(&self, change: impl Fn(Upstream) -> Upstream) {
        let store = &self.stage.world.store;
        let old = store.refreshed_upstream(UPSTREAM).await.unwrap().unwrap();
        let revision = old.revision + 1;
        let new = Upstream { revision, ..change(Upstream::clone(&old)) };
        store.put_upstream(&new).await.unwrap();
        store.refreshed_upstream(UPSTREAM).await.unwrap();
    }

    pub(super) async fn place_at(&self, tenant: &str, upstream: Option<&str>) {
        let store = &self.stage.world.store;
        let old = store.tenant(tenant).await.unwrap().unwrap();
        let revision = old.revision + 1;
        let new = Tenant { upstream: upstream.map(Into::into), revision, ..old };
        store.change_tenant(&new).await.unwrap();
    }

    pub(super) async fn claim(&self, order: &str, tenant: &str) {
        self.stage.world.store.set_claim(UPSTREAM, order, tenant).await.unwrap();
    }

    pub(super) async fn owner(&self, order: &str) -> Option<String> {
        self.stage.world.store.claim(UPSTREAM, order).await.unwrap()
    }

    /// What Bandwidth was asked since the last look.
    pub(super) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// Asks as the first tenant, below `/api/accounts/{tenant}`.
    pub(super) async fn ask(&self, method: &str, path: &str, body: impl Into<Body>) -> Said {
        let path = format!("/api/accounts/{TENANT}{path}");
        ask(self.stage.world.router(), &self.stage.tenant_login, method, &path, &[], body).await
    }

    pub(super) async fn ask_as_other(&self, method: &str, path: &str) -> Said {
        let path = format!("/api/accounts/{OTHER}{path}");
        ask(self.stage.world.router(), &self.other, method, &path, &[], "").await
    }
}

pub(super) async fn ask(
    router: Router,
    login: &Login,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Said {
    let user = STANDARD.encode(format!("{}:{}", login.username, login.password));
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "relay.test")
        .header("authorization", format!("Basic {user}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router.oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
    Said { status: parts.status.as_u16(), headers: parts.headers, body }
}

impl Said {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

async fn serve(fake: Fake) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/api", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(fake);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn answer(State(fake): State<Fake>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let line = format!("{} {}", parts.method, parts.uri);
    // What broke off was not asked.
    let Ok(body) = to_bytes(body, usize::MAX).await else { return ().into_response() };
    let asked = Asked { line, headers: parts.headers, body: body.to_vec() };
    fake.asked.lock().unwrap().push(asked.clone());
    (fake.script)(asked).await
}
