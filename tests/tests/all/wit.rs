//! The WIT package against its released copies (docs/wit-compatibility.md): what guests were built
//! for stays as it was unless the version says otherwise, additions are listed, and every item has
//! documentation.

use orascache_runtime::{CompiledCache, Engine, Limits, LoadError};
use orascache_tests::GREETER;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wit_parser::{
    Docs, Function, Interface, PackageId, Resolve, SourceMap, Type, TypeDef, TypeDefKind, WorldItem, WorldKey,
};

/// The version to compare with: the newest folder of `wit/released`.
const RELEASED: &str = "0.3.2";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit")
}

/// The files of a folder as one text each.
fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut sources: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "wit"))
        .map(|path| (path.display().to_string(), std::fs::read_to_string(&path).expect("a text")))
        .collect();
    sources.sort();
    sources
}

fn released() -> Vec<(String, String)> {
    sources(&folder().join("released").join(RELEASED))
}

/// The same package with a text replaced everywhere.
fn edited(sources: &[(String, String)], from: &str, to: &str) -> Vec<(String, String)> {
    assert!(sources.iter().any(|(_, text)| text.contains(from)), "no file contains {from:?}");
    sources.iter().map(|(path, text)| (path.clone(), text.replace(from, to))).collect()
}

fn parse(sources: &[(String, String)]) -> (Resolve, PackageId) {
    let mut map = SourceMap::new();
    for (path, text) in sources {
        map.push_str(path, text);
    }
    let group = map.parse().unwrap_or_else(|(map, error)| panic!("{}", error.render(&map)));
    let mut resolve = Resolve::new();
    let package = resolve.push_group(group).expect("a package that resolves");
    (resolve, package)
}

/// Every item of a package by its path, as text. Two items have the same text when values of them
/// cross the boundary alike: the canonical ABI depends on order and types. Documentation is left out.
fn items(resolve: &Resolve, package: PackageId) -> BTreeMap<String, String> {
    let mut items = BTreeMap::new();
    for (name, id) in &resolve.packages[package].interfaces {
        let interface = &resolve.interfaces[*id];
        items.insert(format!("interface {name}"), String::new());
        for (item, id) in &interface.types {
            items.insert(format!("{name}.{item}"), definition(resolve, &resolve.types[*id]));
        }
        for (item, function) in &interface.functions {
            items.insert(format!("{name}.{item}"), signature(resolve, function));
        }
    }
    for (name, id) in &resolve.packages[package].worlds {
        let world = &resolve.worlds[*id];
        for (direction, members) in [("import", &world.imports), ("export", &world.exports)] {
            for (key, item) in members {
                let what = match item {
                    WorldItem::Interface { .. } => "interface".to_owned(),
                    WorldItem::Function(function) => signature(resolve, function),
                    WorldItem::Type { id, .. } => definition(resolve, &resolve.types[*id]),
                };
                items.insert(format!("world {name} {direction} {}", key_name(resolve, key)), what);
            }
        }
    }
    items
}

/// The name without the version, which may change.
fn key_name(resolve: &Resolve, key: &WorldKey) -> String {
    match key {
        WorldKey::Name(name) => name.clone(),
        WorldKey::Interface(id) => resolve.interfaces[*id].name.clone().unwrap_or_default(),
    }
}

fn signature(resolve: &Resolve, function: &Function) -> String {
    let parameters: Vec<String> = function
        .params
        .iter()
        .map(|parameter| format!("{}: {}", parameter.name, written(resolve, &parameter.ty)))
        .collect();
    let result = function.result.as_ref().map(|result| format!(" -> {}", written(resolve, result)));
    format!("{:?} func({}){}", function.kind, parameters.join(", "), result.unwrap_or_default())
}

fn written(resolve: &Resolve, kind: &Type) -> String {
    match kind {
        Type::Id(id) => {
            let definition_of = &resolve.types[*id];
            definition_of.name.clone().unwrap_or_else(|| definition(resolve, definition_of))
        }
        primitive => format!("{primitive:?}").to_lowercase(),
    }
}

fn definition(resolve: &Resolve, definition: &TypeDef) -> String {
    let of = |kind: &Type| written(resolve, kind);
    let maybe = |kind: &Option<Type>| kind.as_ref().map_or_else(|| "_".to_owned(), of);
    match &definition.kind {
        TypeDefKind::Record(record) => {
            let fields = record.fields.iter().map(|field| format!("{}: {}", field.name, of(&field.ty)));
            format!("record {{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        TypeDefKind::Variant(variant) => {
            let cases = variant.cases.iter().map(|case| format!("{}({})", case.name, maybe(&case.ty)));
            format!("variant {{{}}}", cases.collect::<Vec<_>>().join(", "))
        }
        TypeDefKind::Enum(cases) => {
            let names: Vec<&str> = cases.cases.iter().map(|case| case.name.as_str()).collect();
            format!("enum {{{}}}", names.join(", "))
        }
        TypeDefKind::Tuple(tuple) => {
            format!("tuple<{}>", tuple.types.iter().map(of).collect::<Vec<_>>().join(", "))
        }
        TypeDefKind::Option(kind) => format!("option<{}>", of(kind)),
        TypeDefKind::List(kind) => format!("list<{}>", of(kind)),
        TypeDefKind::Result(result) => format!("result<{}, {}>", maybe(&result.ok), maybe(&result.err)),
        TypeDefKind::Type(kind) => format!("type {}", of(kind)),
        other => panic!("{}s are new to this test: write them out too", other.as_str()),
    }
}

/// The differences between two packages.
#[derive(Debug, Default, PartialEq)]
struct Difference {
    /// Items that were removed or changed.
    broken: Vec<String>,
    /// Items that the old package does not have.
    added: Vec<String>,
}

fn difference(old: &[(String, String)], new: &[(String, String)]) -> Difference {
    let [old, new] = [old, new].map(|sources| {
        let (resolve, package) = parse(sources);
        items(&resolve, package)
    });
    let mut found = Difference::default();
    for (path, before) in &old {
        match new.get(path) {
            None => found.broken.push(format!("{path} is gone")),
            Some(after) if after != before => {
                found.broken.push(format!("{path} was {before}, and is {after}"))
            }
            Some(_) => {}
        }
    }
    for (path, what) in new.iter().filter(|(path, _)| !old.contains_key(*path)) {
        // A guest may import nothing, so that every import breaks.
        let list = if path.contains(" import ") { &mut found.broken } else { &mut found.added };
        list.push(format!("{path} {what}").trim_end().to_owned());
    }
    found
}

/// Versions that were released, oldest first.
fn releases() -> Vec<String> {
    let mut releases: Vec<(Vec<u64>, String)> = std::fs::read_dir(folder().join("released"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .map(|version| (numbers(&version), version))
        .collect();
    releases.sort();
    releases.into_iter().map(|(_, version)| version).collect()
}

fn numbers(version: &str) -> Vec<u64> {
    version.split('.').map(|number| number.parse().expect("a number")).collect()
}

#[test]
fn every_release_that_breaks_has_another_second_number() {
    let releases = releases();
    assert_eq!(releases.last().map(String::as_str), Some(RELEASED));
    for pair in releases.windows(2) {
        let [old, new] = pair else { unreachable!("windows of two") };
        let [before, after] = [old, new].map(|version| sources(&folder().join("released").join(version)));
        let broken = difference(&before, &after).broken;
        // Before 1.0 the second number is the one that breaks.
        let may_break = numbers(old)[..2] != numbers(new)[..2];
        assert!(may_break || broken.is_empty(), "{old} to {new}: {broken:#?}");
        let package = format!("package orascache:operator@{new};");
        assert!(after.iter().all(|(_, text)| text.starts_with(&package)), "{new}: another version inside");
    }
}

#[test]
#[allow(clippy::print_stdout, reason = "additions are for people to read, with --nocapture")]
fn no_item_of_the_released_package_was_removed_or_changed() {
    let found = difference(&released(), &sources(&folder()));
    println!("added since {RELEASED}: {:#?}", found.added);
    assert_eq!(found.broken, Vec::<String>::new(), "docs/wit-compatibility.md says what to do");
}

#[test]
fn the_comparison_tells_breaking_changes_from_additions() {
    let old = released();
    let broken = |from: &str, to: &str| difference(&old, &edited(&old, from, to)).broken.join("\n");
    for (from, to, what) in [
        (
            "    namespaced: bool,",
            "",
            "types.kind was record {api-version: string, kind: string, plural: string, namespaced: bool}",
        ),
        ("code: u16", "code: u32", "reconciler.failure was record {"),
        (
            "    warning,",
            "    fatal, warning,",
            "types.severity was enum {normal, warning}, and is enum {normal, fatal, warning}",
        ),
        ("describe: func() -> description;", "", "reconciler.describe is gone"),
        ("internal(string)", "internal", "types.error was variant {invalid-input(string), internal(string)}"),
        ("  export admission;", "", "world operator export admission is gone"),
        (
            "  export admission;",
            "  export admission; import clock: interface { now: func() -> u64; }",
            "world operator import clock",
        ),
    ] {
        let sentence = broken(from, to);
        assert!(sentence.contains(what), "{what}: {sentence}");
    }

    let function = "describe: func() -> description;\n  /// New.\n  ready: func() -> bool;";
    let found = difference(&old, &edited(&old, "describe: func() -> description;", function));
    assert_eq!(found.broken, Vec::<String>::new());
    assert_eq!(found.added, ["reconciler.ready Freestanding func() -> bool"]);
    let documented = edited(&old, "/// Its name.", "/// The name.");
    assert_eq!(difference(&old, &documented), Difference::default(), "documentation may change");
}

/// The greeter, as if it had been built for another version of the package. Names in a component are
/// plain text, and these versions have the same length.
fn greeter_of(version: &str) -> Vec<u8> {
    let (from, to) = (b"@0.3.2".as_slice(), version.as_bytes());
    assert_eq!(from.len(), to.len());
    let mut bytes = GREETER.to_vec();
    let places: Vec<usize> = (0..bytes.len()).filter(|place| bytes[*place..].starts_with(from)).collect();
    assert!(!places.is_empty(), "the component names no version");
    for place in places {
        bytes[place..place + to.len()].copy_from_slice(to);
    }
    bytes
}

#[test]
fn guests_of_compatible_versions_run_and_others_are_refused_by_name() {
    let engine = Engine::new(Limits::default()).expect("an engine");
    let later = engine.load(&greeter_of("@0.3.7"), &CompiledCache::none()).expect("a later patch version");
    assert_eq!(later.describe().primary.kind, "Greeting");
    assert_eq!(later.interface().wit, "orascache:operator@0.3.7");
    for version in ["@0.2.0", "@0.4.0", "@1.1.0"] {
        match engine.load(&greeter_of(version), &CompiledCache::none()) {
            Err(LoadError::WrongVersion { found }) => assert!(found.ends_with(version), "{found}"),
            Err(other) => panic!("{version}: {other}"),
            Ok(_) => panic!("{version} was accepted"),
        }
    }
}

#[test]
fn every_item_of_the_package_is_documented() {
    let (resolve, package) = parse(&sources(&folder()));
    let mut silent = Vec::new();
    let mut look = |docs: &Docs, path: String| {
        if docs.contents.as_ref().is_none_or(|contents| contents.trim().is_empty()) {
            silent.push(path);
        }
    };
    for (name, id) in &resolve.packages[package].interfaces {
        let interface: &Interface = &resolve.interfaces[*id];
        look(&interface.docs, format!("interface {name}"));
        for (item, function) in &interface.functions {
            look(&function.docs, format!("{name}.{item}"));
        }
        for (item, id) in &interface.types {
            let definition = &resolve.types[*id];
            let path = format!("{name}.{item}");
            match &definition.kind {
                // Taken over with `use`. Its documentation is where it comes from.
                TypeDefKind::Type(Type::Id(_)) => continue,
                TypeDefKind::Record(record) => {
                    record
                        .fields
                        .iter()
                        .for_each(|field| look(&field.docs, format!("{path}.{}", field.name)));
                }
                TypeDefKind::Variant(variant) => {
                    variant.cases.iter().for_each(|case| look(&case.docs, format!("{path}.{}", case.name)));
                }
                TypeDefKind::Enum(cases) => {
                    cases.cases.iter().for_each(|case| look(&case.docs, format!("{path}.{}", case.name)));
                }
                _ => {}
            }
            look(&definition.docs, path);
        }
    }
    for (name, id) in &resolve.packages[package].worlds {
        let world = &resolve.worlds[*id];
        look(&world.docs, format!("world {name}"));
        for (key, item) in world.exports.iter().chain(&world.imports) {
            let path = format!("world {name} {}", key_name(&resolve, key));
            match item {
                WorldItem::Interface { docs, .. } => look(docs, path),
                WorldItem::Function(function) => look(&function.docs, path),
                WorldItem::Type { id, .. } => look(&resolve.types[*id].docs, path),
            }
        }
    }
    assert_eq!(silent, Vec::<String>::new(), "these have no doc comment");
}
