//! Runs a Kubewarden policy as its policy server does: with the waPC host of the crate `wapc`.
//!
//! That crate is usually used with the engine wasmtime-provider. This engine enables many features
//! of wasmtime, and cargo would then build and test everything here with them, while users get a
//! wasmtime without them. So this file links the functions of the protocol (wapc.io/docs/spec)
//! itself. The crate `wapc` still keeps their state.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wapc::{HOST_NAMESPACE, ModuleState, WapcHost, WebAssemblyEngineProvider, wapc_functions as name};
use wasmtime::{Caller, Engine, Linker, Memory, Module, Store, TypedFunc};

type Failure = Box<dyn Error + Send + Sync>;
type State = Arc<ModuleState>;

/// A running policy, and the cluster that it may read. One instance serves all calls.
pub struct Policy(WapcHost);

impl Policy {
    /// Starts an instance of a compiled policy.
    ///
    /// # Errors
    /// When it does not start, for example because it imports a function that is not part of waPC.
    pub fn start(module: &Module, cluster: &Arc<Cluster>) -> Result<Self, wapc::errors::Error> {
        let cluster = Arc::clone(cluster);
        let answer = move |_: u64, binding: &str, namespace: &str, operation: &str, payload: &[u8]| {
            cluster.answer(binding, namespace, operation, payload)
        };
        let provider = Provider { module: module.clone(), instance: None };
        WapcHost::new(Box::new(provider), Some(Box::new(answer))).map(Policy)
    }

    /// Calls an operation and returns its answer as bytes.
    ///
    /// # Errors
    /// The policy's error message, or the trap that ended the call.
    pub fn call(&self, operation: &str, payload: &[u8]) -> Result<Vec<u8>, String> {
        self.0.call(operation, payload).map_err(|error| error.to_string())
    }

    /// Calls an operation and returns its answer, which must be JSON.
    ///
    /// # Errors
    /// The policy's error message, or that the answer is not JSON.
    pub fn ask(&self, operation: &str, payload: &str) -> Result<Value, String> {
        let answer = self.call(operation, payload.as_bytes())?;
        serde_json::from_slice(&answer).map_err(|error| format!("{operation} did not answer JSON: {error}"))
    }

    /// Calls `validate` with a request and settings.
    ///
    /// # Errors
    /// The policy's error message, or that the answer is not JSON.
    pub fn validate(&self, request: &Value, settings: &Value) -> Result<Value, String> {
        self.ask("validate", &json!({"request": request, "settings": settings}).to_string())
    }
}

/// The part of a cluster that a policy may read. Its errors have the wording of policy-evaluator.
#[derive(Debug)]
pub struct Cluster {
    allowed: BTreeSet<String>,
    objects: Vec<Value>,
    failure: Option<&'static str>,
    calls: Mutex<Vec<(String, Value)>>,
}

impl Cluster {
    /// A cluster in which the policy may read all kinds that its metadata names.
    pub fn open(objects: Vec<Value>) -> Arc<Self> {
        Self::of(&["OrasCache", "Namespace"], objects, None)
    }

    /// A cluster in which the policy may read only the kinds in `allowed`. With `failure`, the API
    /// server answers every read with that error.
    pub fn of(allowed: &[&str], objects: Vec<Value>, failure: Option<&'static str>) -> Arc<Self> {
        let allowed = allowed.iter().map(|kind| (*kind).to_owned()).collect();
        Arc::new(Cluster { allowed, objects, failure, calls: Mutex::default() })
    }

    /// Removes and returns the calls so far: `namespace/operation` with the payload of each.
    pub fn take_calls(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.calls())
    }

    fn calls(&self) -> MutexGuard<'_, Vec<(String, Value)>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(
        &self,
        binding: &str,
        namespace: &str,
        operation: &str,
        payload: &[u8],
    ) -> Result<Vec<u8>, Failure> {
        let request: Value = serde_json::from_slice(payload)?;
        self.calls().push((format!("{namespace}/{operation}"), request.clone()));
        match (binding, namespace, operation) {
            ("kubewarden", "tracing", "log") => Ok(Vec::new()),
            ("kubewarden", "kubernetes", "get_resource") => self.get(&request),
            _ => Err(format!("unknown operation: {operation}").into()),
        }
    }

    /// Answers as policy-evaluator does (`runtimes/callback.rs`,
    /// `callback_handler/kubernetes/client.rs`).
    fn get(&self, request: &Value) -> Result<Vec<u8>, Failure> {
        let text = |member: &str| request[member].as_str().unwrap_or_default();
        let (api_version, kind, name) = (text("api_version"), text("kind"), text("name"));
        if !self.allowed.contains(kind) {
            return Err(format!(
                "Policy has not been granted access to Kubernetes {api_version}/{kind} resources. The violation has been reported."
            )
            .into());
        }
        if let Some(failure) = self.failure {
            return Err(failure.into());
        }
        let found = self.objects.iter().find(|object| {
            object["apiVersion"] == request["api_version"]
                && object["kind"] == request["kind"]
                && object["metadata"]["name"] == request["name"]
                && object["metadata"]["namespace"] == request["namespace"]
        });
        let namespace = request["namespace"].as_str();
        match found {
            Some(object) => Ok(serde_json::to_vec(object)?),
            None => Err(format!(
                "Cannot find {api_version}/{kind} named '{name}' inside of namespace '{namespace:?}'"
            )
            .into()),
        }
    }
}

/// Compiles a policy.
///
/// # Errors
/// When the bytes are not a core module.
pub fn compile(bytes: &[u8]) -> wasmtime::Result<Module> {
    Module::new(&Engine::default(), bytes)
}

/// The store of a started policy, and the function by which it is called.
type Instance = (Store<State>, TypedFunc<(u32, u32), i32>);

struct Provider {
    module: Module,
    instance: Option<Instance>,
}

impl WebAssemblyEngineProvider for Provider {
    fn init(&mut self, host: State) -> Result<(), Failure> {
        let engine = self.module.engine().clone();
        let mut store = Store::new(&engine, host);
        let instance = linker(&engine)?.instantiate(&mut store, &self.module)?;
        for start in name::REQUIRED_STARTS {
            if let Ok(start) = instance.get_typed_func::<(), ()>(&mut store, start) {
                start.call(&mut store, ())?;
            }
        }
        let call = instance.get_typed_func(&mut store, name::GUEST_CALL)?;
        self.instance = Some((store, call));
        Ok(())
    }

    fn call(&mut self, operation_length: i32, message_length: i32) -> Result<i32, Failure> {
        let (store, call) = self.instance.as_mut().ok_or("the policy was not started")?;
        let lengths = (u32::try_from(operation_length)?, u32::try_from(message_length)?);
        Ok(call.call(store, lengths)?)
    }

    fn replace(&mut self, _: &[u8]) -> Result<(), Failure> {
        Err("this engine runs one module only".into())
    }
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    let namespace = HOST_NAMESPACE;
    linker.func_wrap(
        namespace,
        name::GUEST_REQUEST_FN,
        |mut caller: Caller<'_, State>, operation: u32, message: u32| {
            let Some(request) = caller.data().get_guest_request() else { return Ok(()) };
            write(&mut caller, operation, request.operation.as_bytes())?;
            write(&mut caller, message, &request.msg)
        },
    )?;
    linker.func_wrap(
        namespace,
        name::GUEST_RESPONSE_FN,
        |mut caller: Caller<'_, State>, at: u32, length: u32| {
            let response = read(&mut caller, at, length)?;
            caller.data().set_guest_response(response);
            wasmtime::Result::Ok(())
        },
    )?;
    linker.func_wrap(
        namespace,
        name::GUEST_ERROR_FN,
        |mut caller: Caller<'_, State>, at: u32, length: u32| {
            let error = read_text(&mut caller, at, length)?;
            caller.data().set_guest_error(error);
            wasmtime::Result::Ok(())
        },
    )?;
    linker.func_wrap(
        namespace,
        name::HOST_CALL,
        |mut caller: Caller<'_, State>,
         b: u32,
         b_length: u32,
         n: u32,
         n_length: u32,
         o: u32,
         o_length: u32,
         p: u32,
         p_length: u32| {
            let binding = read_text(&mut caller, b, b_length)?;
            let namespace = read_text(&mut caller, n, n_length)?;
            let operation = read_text(&mut caller, o, o_length)?;
            let payload = read(&mut caller, p, p_length)?;
            let called = caller.data().do_host_call(&binding, &namespace, &operation, &payload);
            wasmtime::Result::Ok(called.unwrap_or(0))
        },
    )?;
    linker.func_wrap(namespace, name::HOST_RESPONSE_LEN_FN, |caller: Caller<'_, State>| {
        caller.data().host_response_len() as u32
    })?;
    linker.func_wrap(namespace, name::HOST_RESPONSE_FN, |mut caller: Caller<'_, State>, at: u32| {
        let response = caller.data().with_host_response(<[u8]>::to_vec).unwrap_or_default();
        write(&mut caller, at, &response)
    })?;
    linker.func_wrap(namespace, name::HOST_ERROR_LEN_FN, |caller: Caller<'_, State>| {
        caller.data().get_host_error().map_or(0, |error| error.len()) as u32
    })?;
    linker.func_wrap(namespace, name::HOST_ERROR_FN, |mut caller: Caller<'_, State>, at: u32| {
        let error = caller.data().get_host_error().unwrap_or_default();
        write(&mut caller, at, error.as_bytes())
    })?;
    linker.func_wrap(
        namespace,
        name::HOST_CONSOLE_LOG,
        |mut caller: Caller<'_, State>, at: u32, length: u32| {
            let line = read_text(&mut caller, at, length)?;
            caller.data().do_console_log(&line);
            wasmtime::Result::Ok(())
        },
    )?;
    Ok(linker)
}

fn memory(caller: &mut Caller<'_, State>) -> wasmtime::Result<Memory> {
    caller
        .get_export("memory")
        .and_then(wasmtime::Extern::into_memory)
        .ok_or_else(|| wasmtime::Error::msg("the policy exports no memory"))
}

fn read(caller: &mut Caller<'_, State>, at: u32, length: u32) -> wasmtime::Result<Vec<u8>> {
    let mut bytes = vec![0; length as usize];
    memory(caller)?.read(&*caller, at as usize, &mut bytes)?;
    Ok(bytes)
}

fn read_text(caller: &mut Caller<'_, State>, at: u32, length: u32) -> wasmtime::Result<String> {
    Ok(String::from_utf8(read(caller, at, length)?)?)
}

fn write(caller: &mut Caller<'_, State>, at: u32, bytes: &[u8]) -> wasmtime::Result<()> {
    Ok(memory(caller)?.write(caller, at as usize, bytes)?)
}
