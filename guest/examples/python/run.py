# Reviews an AdmissionReview and plans for an OrasCache:
#   python run.py orascache_component.wasm review.json orascache.json
import json, sys
from pathlib import Path
from wasmtime import Engine, Store
from wasmtime.component import Component, Linker, Record

path, review, cache = sys.argv[1], *(Path(file).read_text("utf-8") for file in sys.argv[2:])
engine = Engine()
store = Store(engine)
instance = Linker(engine).instantiate(store, Component.from_file(engine, path))

def call(interface, name, *arguments):
    index = instance.get_export_index(store, f"orascache:operator/{interface}@0.3.2")
    return instance.get_func(store, instance.get_export_index(store, name, index))(store, *arguments)

def record(**fields):
    value = Record()
    vars(value).update(fields)
    return value

now = 1_790_000_000  # Seconds since the Unix epoch: the component has no clock.
none = dict(absent=[], omitted=[], failures=[], answers=[], settings="")
context = record(objects=[cache], complete=True, answers=[], settings="", now=now)
outcome = call("admission", "review", review, context).payload  # A `result`: `tag` says whether it is ok.
plan = call("reconciler", "reconcile", record(primary=cache, owned=[], related=[], **none, now=now))
print(json.dumps({"outcome": outcome, "plan": plan}, default=vars, indent=2, ensure_ascii=False))
