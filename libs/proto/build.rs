//! Compiles everything in `proto/` without protoc and derives the JSON form that the command line prints.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorSet};

/// Enums whose JSON spelling in the contract is lower case.
const LOWER_CASE_ENUMS: [&str; 3] = ["BrokerState", "LogDirState", "GoalKind"];

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script its folders by the environment")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    find_protos(&root, &mut files)?;
    files.sort();
    let descriptors = protox::compile(&files, [&root])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;

    let mut config = tonic_prost_build::configure()
        .btree_map(".")
        .extern_path(".google.protobuf.Timestamp", "crate::Timestamp")
        .type_attribute(".", "#[derive(serde::Serialize)] #[serde(rename_all = \"snake_case\")]");
    let mut names = String::new();
    for file in descriptors.file.iter().filter(|file| file.package().starts_with("ballast.")) {
        for message in &file.message_type {
            config = name_enum_fields(config, &format!(".{}.{}", file.package(), message.name()), message);
        }
        for declared in &file.enum_type {
            name_enum(&mut names, &rust_path(&format!(".{}.{}", file.package(), declared.name())), declared)?;
        }
        for message in &file.message_type {
            for declared in &message.enum_type {
                let path = format!(".{}.{}.{}", file.package(), message.name(), declared.name());
                name_enum(&mut names, &rust_path(&path), declared)?;
            }
        }
    }
    fs::write(out.join("enum_names.rs"), names)?;
    fs::write(out.join("modules.rs"), modules(&descriptors)?)?;
    config.compile_fds(descriptors)?;
    Ok(())
}

fn find_protos(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find_protos(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            found.push(path);
        }
    }
    Ok(())
}

/// Makes every enum field print its value's name.
fn name_enum_fields(mut config: tonic_prost_build::Builder, path: &str, message: &DescriptorProto) -> tonic_prost_build::Builder {
    for field in message.field.iter().filter(|field| field.r#type() == Type::Enum) {
        let shape = match (field.label(), field.proto3_optional()) {
            (Label::Repeated, _) => "list",
            (_, true) => "option",
            _ => "value",
        };
        let enum_path = rust_path(field.type_name());
        let attribute = format!("#[serde(serialize_with = \"crate::json::{shape}::<_, {enum_path}>\")]");
        config = config.field_attribute(format!("{path}.{}", field.name()), attribute);
    }
    for nested in &message.nested_type {
        config = name_enum_fields(config, &format!("{path}.{}", nested.name()), nested);
    }
    config
}

fn name_enum(names: &mut String, path: &str, declared: &EnumDescriptorProto) -> std::fmt::Result {
    let prefix = format!("{}_", screaming_snake(declared.name()));
    writeln!(names, "impl crate::json::EnumName for {path} {{")?;
    writeln!(names, "    fn json_name(number: i32) -> &'static str {{\n        match number {{")?;
    for value in &declared.value {
        let short = value.name().strip_prefix(&prefix).unwrap_or(value.name());
        let spelled = if LOWER_CASE_ENUMS.contains(&declared.name()) { short.to_lowercase() } else { short.to_owned() };
        writeln!(names, "            {} => \"{spelled}\",", value.number())?;
    }
    writeln!(names, "            _ => \"UNKNOWN\",\n        }}\n    }}\n}}")
}

/// `.ballast.task.v1.Task.Kind` -> `crate::task::v1::task::Kind`.
fn rust_path(proto_path: &str) -> String {
    let mut parts: Vec<&str> = proto_path.trim_start_matches(".ballast.").split('.').collect();
    let last = parts.pop().unwrap_or_default();
    let scopes: Vec<String> = parts.iter().map(|part| screaming_snake(part).to_lowercase()).collect();
    format!("crate::{}::{last}", scopes.join("::"))
}

fn screaming_snake(camel: &str) -> String {
    let mut snake = String::new();
    for (at, letter) in camel.char_indices() {
        if at > 0 && letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_uppercase());
    }
    snake
}

/// One module per package: `ballast.task.v1` -> `task::v1`.
fn modules(descriptors: &FileDescriptorSet) -> Result<String, std::fmt::Error> {
    let mut packages: Vec<&str> = descriptors.file.iter().map(|file| file.package()).collect();
    packages.retain(|package| package.starts_with("ballast."));
    packages.sort_unstable();
    packages.dedup();
    let mut text = String::new();
    for package in packages {
        let area = package.split('.').nth(1).unwrap_or_default();
        writeln!(text, "pub mod {area} {{ pub mod v1 {{ include!(concat!(env!(\"OUT_DIR\"), \"/{package}.rs\")); }} }}")?;
    }
    Ok(text)
}
