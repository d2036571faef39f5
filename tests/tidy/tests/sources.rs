//! Laws about source files: how they open, how long they and their functions are, what they are called, what must not be in them.

use std::path::Path;

use ballast_tidy::{files, text};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const BANNED_STEMS: [&str; 9] = ["utils", "util", "helpers", "helper", "common", "misc", "types", "manager", "base"];

#[track_caller]
fn none(law: &str, offenders: Vec<String>) {
    assert!(offenders.is_empty(), "{law}:\n  {}", offenders.join("\n  "));
}

fn offenders(extensions: &[&str], judge: impl Fn(&Path, &str) -> Vec<String>) -> Vec<String> {
    files(extensions).iter().flat_map(|file| judge(file, &text(file))).collect()
}

#[test]
fn every_source_file_says_first_what_it_is() {
    let found =
        offenders(&["rs"], |file, text| if text.starts_with("//!") { Vec::new() } else { vec![file.display().to_string()] });
    none("open with `//!`: what the file is and what it must not know", found);
}

#[test]
fn no_source_file_is_longer_than_the_law_allows() {
    let found = offenders(&["rs"], |file, text| match text.lines().count() {
        lines if lines > FILE_LINES_MAX => vec![format!("{} has {lines} lines", file.display())],
        _ => Vec::new(),
    });
    none(&format!("at most {FILE_LINES_MAX} lines a file: split it where the subject changes"), found);
}

#[test]
fn no_function_is_longer_than_the_law_allows() {
    let found = offenders(&["rs"], |file, text| {
        let Ok(parsed) = syn::parse_file(text) else { return vec![format!("{} does not parse", file.display())] };
        let mut lengths = Lengths { file, found: Vec::new() };
        lengths.visit_file(&parsed);
        lengths.found
    });
    none(&format!("at most {FUNCTION_LINES_MAX} lines a function"), found);
}

struct Lengths<'a> {
    file: &'a Path,
    found: Vec<String>,
}

impl Lengths<'_> {
    fn measure(&mut self, name: &syn::Ident, block: &syn::Block) {
        let span = block.span();
        let lines = span.end().line - span.start().line + 1;
        if lines > FUNCTION_LINES_MAX {
            self.found.push(format!("{}:{} {name} has {lines} lines", self.file.display(), span.start().line));
        }
    }
}

impl<'ast> Visit<'ast> for Lengths<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig.ident, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig.ident, &function.block);
        visit::visit_impl_item_fn(self, function);
    }
}

#[test]
fn files_are_named_after_their_subject() {
    let found = offenders(&["rs"], |file, _| {
        let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if stem == "mod" || BANNED_STEMS.contains(&stem) { vec![file.display().to_string()] } else { Vec::new() }
    });
    none("no mod.rs and no name that could hold anything", found);
}

#[test]
fn nothing_is_left_for_later_or_switched_off() {
    let marks = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("FIX", "ME"), concat!("#[ig", "nore")];
    let found = offenders(&["rs", "proto"], |file, text| {
        let lines = text.lines().enumerate().filter(|(_, line)| marks.iter().any(|mark| line.contains(mark)));
        lines.map(|(at, line)| format!("{}:{} {}", file.display(), at + 1, line.trim())).collect()
    });
    none("finish it or leave it out", found);
}

#[test]
fn the_project_speaks_of_itself_alone() {
    let marks = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    let found = offenders(&["rs", "proto", "toml", "sh", "md", "xml", "service"], |file, text| {
        let lines = text.lines().enumerate().filter(|(_, line)| marks.iter().any(|mark| line.contains(mark)));
        lines.map(|(at, line)| format!("{}:{} {}", file.display(), at + 1, line.trim())).collect()
    });
    none("no paths of somebody's machine", found);
}
