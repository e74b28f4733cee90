//! What the simulators do to objects, seen through the API.

mod deletion;
mod pods;
mod runners;

use fake_kube::Simulators;
use fake_kube::k8s_openapi::api::core::v1::Namespace;
use fake_kube::kube::api::PostParams;
use fake_kube::kube::runtime::wait::{Condition, await_condition};
use fake_kube::kube::{Api, Client};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;
use std::time::Duration;

/// How long a test waits for what must come. Only failures take that long.
const PATIENCE: Duration = Duration::from_secs(40);

async fn until<K>(api: &Api<K>, name: &str, what: &str, condition: impl Condition<K>)
where
    K: Clone + Debug + Send + DeserializeOwned + fake_kube::kube::Resource + 'static,
{
    let waited = tokio::time::timeout(PATIENCE, await_condition(api.clone(), name, condition)).await;
    waited.unwrap_or_else(|_| panic!("{name} is not {what} in time")).expect("a watch");
}

async fn create<K>(api: &Api<K>, object: Value) -> K
where
    K: Clone + Debug + DeserializeOwned + serde::Serialize,
{
    let object: K = serde_json::from_value(object).expect("an object");
    api.create(&PostParams::default(), &object).await.expect("created")
}

async fn namespace(client: &Client, name: &str) {
    create::<Namespace>(&Api::all(client.clone()), json!({"metadata": {"name": name}})).await;
}

fn only(change: impl FnOnce(&mut Simulators)) -> Simulators {
    let mut simulators = Simulators::none();
    change(&mut simulators);
    simulators
}
