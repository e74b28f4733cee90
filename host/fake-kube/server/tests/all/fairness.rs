//! Requests that compute long keep no others from being answered.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use crate::common::{expect, send};
use fake_kube_apimachinery::status::ApiError;
use fake_kube_server::admission::{Admission, Admitted, Request};
use fake_kube_server::{ApiServer, Options};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::Notify;

/// Ends a computation that no test ends, so that a failing test ends too. It decides nothing else.
const PATIENCE: Duration = Duration::from_secs(15);

/// Occupies its thread when it admits an object named `large`, until the test lets it go on.
struct Computing {
    began: Notify,
    may_end: Mutex<mpsc::Receiver<()>>,
    ended: AtomicBool,
}

impl Admission for Computing {
    fn admit(&self, request: Request) -> BoxFuture<'_, Result<Admitted, ApiError>> {
        Box::pin(async move {
            if request.name == "large" {
                self.began.notify_one();
                // An error means that the patience is over. The order below fails then.
                let _ = self.may_end.lock().unwrap().recv_timeout(PATIENCE);
                self.ended.store(true, Ordering::SeqCst);
            }
            Ok(Admitted::default())
        })
    }
}

const JOBS: &str = "/apis/batch/v1/namespaces/default/jobs";

fn job(name: &str, annotations: usize) -> Value {
    let annotations: serde_json::Map<String, Value> = (0..annotations)
        .map(|number| (format!("oras.converged-computing.github.io/{number}"), json!("")))
        .collect();
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "annotations": annotations},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "b"}]}}},
    })
}

/// One thread serves all connections: a request that occupies it keeps all others waiting.
#[tokio::test]
async fn other_requests_are_answered_while_a_large_object_is_changed() {
    let (end, may_end) = mpsc::channel();
    let plugin = Arc::new(Computing {
        began: Notify::new(),
        may_end: Mutex::new(may_end),
        ended: AtomicBool::new(false),
    });
    let options = Options { admission: plugin.clone(), ..Options::default() };
    let server = Arc::new(ApiServer::start(options).await.unwrap());
    expect(&server, "POST", JOBS, &job("small", 1), 201).await;
    end.send(()).unwrap();
    expect(&server, "POST", JOBS, &job("large", 6_000), 201).await;
    plugin.began.notified().await;
    plugin.ended.store(false, Ordering::SeqCst);

    let patching = tokio::spawn({
        let server = server.clone();
        async move {
            let patch = json!({"metadata": {"labels": {"changed": "yes"}}}).to_string();
            let headers = [("Content-Type", "application/strategic-merge-patch+json")];
            send(&server, "PATCH", &format!("{JOBS}/large"), &headers, patch).await.status
        }
    });
    plugin.began.notified().await;
    expect(&server, "GET", &format!("{JOBS}/small"), &Value::Null, 200).await;
    expect(&server, "PATCH", &format!("{JOBS}/small"), &json!({"metadata": {"labels": {"a": "b"}}}), 200)
        .await;
    expect(&server, "POST", JOBS, &job("another", 1), 201).await;
    assert!(!plugin.ended.load(Ordering::SeqCst), "these requests waited for the large one");
    end.send(()).unwrap();
    assert_eq!(patching.await.unwrap(), 200);
}
