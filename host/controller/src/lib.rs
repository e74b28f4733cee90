//! A generic, level-triggered Kubernetes controller: it watches, caches, queues and writes. It knows no
//! kind by itself; all decisions come from a [`contract::Reconciler`].

pub mod contract;
